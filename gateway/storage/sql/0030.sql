-- A courier came after the window, and the household gave him more time: since when he asks, and what was announced.

ALTER TABLE delivery ADD COLUMN late_at INTEGER;        -- when he scanned last; NULL: he never came late
ALTER TABLE delivery ADD COLUMN announced_end INTEGER;  -- the end of the retailer's window; NULL: no time was given
