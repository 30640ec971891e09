-- Which bytes a promise was: so that the account of its end names the one message that was taken.

-- SHA-256 of the message of that version, as it came; NULL: taken before this was noted.
ALTER TABLE delivery ADD COLUMN message BLOB;
