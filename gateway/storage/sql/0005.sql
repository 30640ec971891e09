-- A store that is a copy of another one: what it promised may have been used since, by the one that it was copied from.

-- NULL: no copy. 0: a copy, not put to use yet. Else the first trusted time since it was put to use: of what was signed
-- before that nothing opens any more.
ALTER TABLE box ADD COLUMN restored INTEGER;

ALTER TABLE delivery ADD COLUMN doubtful INTEGER NOT NULL DEFAULT 0;  -- 1: promised before the copy, and not anew since
