-- Items of an order with limits and places of their own, and a lower limit; NULL: the order has none.

ALTER TABLE delivery ADD COLUMN items TEXT;        -- JSON: each item's code, place and limits
ALTER TABLE delivery ADD COLUMN cold_min_c REAL;

-- How the cold chain of each item held in this visit, in the order of the items; NULL: the order has no items.
ALTER TABLE visit ADD COLUMN items TEXT;           -- JSON: verdict, reasons, seconds, lowest and highest temperature
