-- Parcels are named by the tracking number where a carrier's rule finds one in the label's bar code.
-- What older releases stored is written anew, or a scan of the same label would not match it.

UPDATE OR REPLACE code SET value = parcel_code(value) WHERE kind = 'parcel';
