-- Whether this file is the one that the box used last (gateway/rollback.py): the mark beside it says so.

ALTER TABLE box ADD COLUMN signer TEXT;  -- the box's public key; NULL: not noted yet, as after an upgrade
-- 1: a mark was written outside this file. From then on a store without one is in doubt.
ALTER TABLE box ADD COLUMN mark_due INTEGER NOT NULL DEFAULT 0;
-- Every release that sealed a proof kept a checkpoint beside the store: an upgrade finds it there.
UPDATE box SET mark_due = 1 WHERE EXISTS (SELECT 1 FROM entry WHERE kind = 'sealed');

ALTER TABLE box ADD COLUMN doubt TEXT;  -- why the store was in doubt last, a word of gateway/rollback.py
ALTER TABLE entrance ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0;  -- 1: its owner has not acknowledged that yet
