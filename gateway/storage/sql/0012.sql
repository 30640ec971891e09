-- How often lock, door sensor and cameras were ready, counted by the hour near each window.

CREATE TABLE readiness_hour (
    entrance TEXT NOT NULL,
    hour INTEGER NOT NULL,  -- its beginning, in microseconds since 1970 (UTC)
    device TEXT NOT NULL,
    ready INTEGER NOT NULL,  -- checks at which the device was ready
    not_ready INTEGER NOT NULL,
    PRIMARY KEY (entrance, hour, device)
) STRICT, WITHOUT ROWID;
