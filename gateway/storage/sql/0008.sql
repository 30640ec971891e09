-- Brands that the house file does not know: they ask by a hub, and the owner lets them in or not.

-- The newest question of each brand.
CREATE TABLE asking (
  brand TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  hub TEXT NOT NULL,
  connection TEXT,                     -- as the hub calls it
  asked TEXT NOT NULL,                 -- JSON: the terms that it asks for
  digest TEXT NOT NULL,                -- of all that is shown: what an owner permits is what he saw
  signed INTEGER NOT NULL,             -- 1: the brand's own key signed it
  at INTEGER NOT NULL,
  expires INTEGER NOT NULL,            -- silence until then is no
  answered INTEGER,                    -- when the owner decided
  guest INTEGER NOT NULL,              -- 1: the house file does not know the brand: its name and keys are those of here
  ended INTEGER,                       -- when it was said that the brand wants no more of it
  end_signed INTEGER NOT NULL DEFAULT 0  -- 1: by the brand's own key
) STRICT, WITHOUT ROWID;

-- Questions that were heard, by the SHA-256 of what the brand signed: the same bytes ask once.
CREATE TABLE asking_heard (
  token BLOB PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where a brand's key comes from: file (the house file), asked (with the question of a brand that is not in it), next
-- (a later one, for which an earlier one vouches).
ALTER TABLE brand_key ADD COLUMN came TEXT NOT NULL DEFAULT 'file';
-- approved, waits (for the owner), refused. Only what is approved opens anything.
ALTER TABLE brand_key ADD COLUMN standing TEXT NOT NULL DEFAULT 'approved';
ALTER TABLE brand_key ADD COLUMN withdrawn INTEGER;  -- when the brand took it back

ALTER TABLE delivery ADD COLUMN by_hub INTEGER NOT NULL DEFAULT 0;  -- 1: the hub signed it, not its brand
