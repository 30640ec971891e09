-- key-rxg2wrbajxmnrkh7phj72h3i2q_zmfvtkkjq4eqwlsmjxon4w5pje
BEGIN TRANSACTION;
CREATE TABLE about (
	"key" VARCHAR(64) NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "about" VALUES('version','4');
CREATE TABLE api_keys (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'key-%'), 
	retailer VARCHAR(64) NOT NULL, 
	sha256 BLOB NOT NULL, 
	label VARCHAR(80) NOT NULL, 
	"right" VARCHAR(8) NOT NULL, 
	sandbox BOOLEAN NOT NULL, 
	created BIGINT NOT NULL, 
	expires BIGINT, 
	revoked BIGINT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(retailer) REFERENCES retailers (id)
);
INSERT INTO "api_keys" VALUES('key-rxg2wrbajxmnrkh7phj72h3i2q','ret-uejy5wzqtenqmkgysievpglyxm',X'B03CBFD97D8FF07ED5EF7C43AB9120236D0532C45530C0FF7913A0BED9F15F9D','first','full',0,1795633200000000,NULL,NULL);
INSERT INTO "api_keys" VALUES('key-old','ret-old',X'3737373737373737373737373737373737373737373737373737373737373737','label','right',0,1795633200000000,NULL,NULL);
CREATE TABLE attempts (
	message VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	result VARCHAR(24) NOT NULL, 
	status INTEGER, 
	excerpt VARCHAR(200), 
	milliseconds INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	PRIMARY KEY (message, number), 
	FOREIGN KEY(message) REFERENCES messages (id)
);
INSERT INTO "attempts" VALUES('msg-old',7,'result',NULL,NULL,7,1795633200000000);
CREATE TABLE brand_keys (
	kid VARCHAR(64) NOT NULL, 
	sandbox BOOLEAN NOT NULL, 
	brand VARCHAR(64) NOT NULL, 
	x VARCHAR(43) NOT NULL, 
	vouched VARCHAR(1000), 
	created BIGINT NOT NULL, 
	revoked BIGINT, 
	PRIMARY KEY (kid, sandbox), 
	FOREIGN KEY(brand, sandbox) REFERENCES brands (id, sandbox)
);
INSERT INTO "brand_keys" VALUES('kid',0,'brands-old','x',NULL,1795633200000000,NULL);
CREATE TABLE brands (
	id VARCHAR(64) NOT NULL, 
	sandbox BOOLEAN NOT NULL, 
	retailer VARCHAR(64) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	keys_version INTEGER NOT NULL, 
	created BIGINT NOT NULL, 
	PRIMARY KEY (id, sandbox), 
	FOREIGN KEY(retailer) REFERENCES retailers (id)
);
INSERT INTO "brands" VALUES('brands-old',0,'ret-old','name',7,1795633200000000);
CREATE TABLE browsers (
	home VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	sign JSON, 
	farewell TEXT, 
	told BIGINT NOT NULL, 
	PRIMARY KEY (home, id), 
	FOREIGN KEY(home) REFERENCES homes (id)
);
INSERT INTO "browsers" VALUES('home-old','browsers-old',NULL,NULL,1795633200000000);
CREATE TABLE certificates (
	serial VARCHAR(40) NOT NULL, 
	home VARCHAR(64) NOT NULL, 
	public BLOB NOT NULL, 
	der BLOB NOT NULL, 
	issued BIGINT NOT NULL, 
	expires BIGINT NOT NULL, 
	used BIGINT, 
	ended BIGINT, 
	PRIMARY KEY (serial), 
	FOREIGN KEY(home) REFERENCES homes (id)
);
INSERT INTO "certificates" VALUES('serial','home-old',X'3737373737373737373737373737373737373737373737373737373737373737',X'3737373737373737',1795633200000000,1795633200000000,NULL,NULL);
CREATE TABLE claims (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'claim-%'), 
	sha256 BLOB NOT NULL, 
	home VARCHAR(64), 
	public BLOB, 
	created BIGINT NOT NULL, 
	expires BIGINT NOT NULL, 
	used BIGINT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(home) REFERENCES homes (id)
);
INSERT INTO "claims" VALUES('claim-old',X'3737373737373737373737373737373737373737373737373737373737373737','home-old',NULL,1795633200000000,1795633200000000,NULL);
CREATE TABLE connections (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'con-%'), 
	retailer VARCHAR(64) NOT NULL, 
	brand VARCHAR(64) NOT NULL, 
	home VARCHAR(64), 
	sandbox BOOLEAN NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	asked JSON NOT NULL, 
	terms JSON, 
	version INTEGER NOT NULL, 
	reference VARCHAR(80), 
	consent_sha256 BLOB NOT NULL, 
	return_url VARCHAR(400), 
	tries INTEGER NOT NULL, 
	keys_sent INTEGER NOT NULL, 
	signed VARCHAR, 
	end_signed VARCHAR(1000), 
	end_told BOOLEAN NOT NULL, 
	created BIGINT NOT NULL, 
	expires BIGINT NOT NULL, 
	decided BIGINT, 
	play BIGINT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(brand, sandbox) REFERENCES brands (id, sandbox), 
	FOREIGN KEY(retailer) REFERENCES retailers (id), 
	FOREIGN KEY(home) REFERENCES homes (id)
);
INSERT INTO "connections" VALUES('con-old','ret-old','brands-old','home-old',0,'active','{}',NULL,7,NULL,X'3737373737373737373737373737373737373737373737373737373737373737',NULL,7,7,NULL,NULL,0,1795633200000000,1795633200000000,NULL,NULL);
CREATE TABLE deliveries (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'dlv-%'), 
	retailer VARCHAR(64) NOT NULL, 
	connection VARCHAR(64) NOT NULL, 
	home VARCHAR(64), 
	brand VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	promise JSON NOT NULL, 
	hub_signed BOOLEAN NOT NULL, 
	sandbox BOOLEAN NOT NULL, 
	held BOOLEAN NOT NULL, 
	answered INTEGER, 
	state VARCHAR(24) NOT NULL, 
	untold BOOLEAN NOT NULL, 
	reason VARCHAR(64), 
	missing INTEGER NOT NULL, 
	house VARCHAR(24), 
	seq BIGINT NOT NULL, 
	created BIGINT NOT NULL, 
	changed BIGINT NOT NULL, 
	window_end BIGINT NOT NULL, 
	play BIGINT, 
	PRIMARY KEY (id), 
	UNIQUE (brand, home, name), 
	UNIQUE (connection, name), 
	FOREIGN KEY(retailer) REFERENCES retailers (id), 
	FOREIGN KEY(connection) REFERENCES connections (id), 
	FOREIGN KEY(home) REFERENCES homes (id)
);
INSERT INTO "deliveries" VALUES('dlv-old','ret-old','con-old','home-old','brand','name',7,'{}',0,0,0,NULL,'active',0,NULL,7,NULL,7,1795633200000000,1795633200000000,1795633200000000,NULL);
CREATE TABLE delivery_versions (
	delivery VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	promise JSON, 
	token BLOB, 
	sha256 VARCHAR(64), 
	refused BOOLEAN NOT NULL, 
	created BIGINT NOT NULL, 
	PRIMARY KEY (delivery, version), 
	FOREIGN KEY(delivery) REFERENCES deliveries (id)
);
INSERT INTO "delivery_versions" VALUES('dlv-old',7,NULL,NULL,NULL,0,1795633200000000);
CREATE TABLE endpoints (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'ep-%'), 
	retailer VARCHAR(64) NOT NULL, 
	url VARCHAR(400) NOT NULL, 
	types JSON NOT NULL, 
	secret VARCHAR(160) NOT NULL, 
	old_secret VARCHAR(160), 
	sandbox BOOLEAN NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	disabled VARCHAR(16), 
	seq BIGINT NOT NULL, 
	slow BOOLEAN NOT NULL, 
	challenge VARCHAR(64), 
	replayed BIGINT, 
	failing BIGINT, 
	leased BIGINT NOT NULL, 
	old_until BIGINT, 
	created BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(retailer) REFERENCES retailers (id)
);
INSERT INTO "endpoints" VALUES('ep-old','ret-old','url','{}','whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=',NULL,0,0,NULL,7,0,NULL,NULL,NULL,1795633200000000,NULL,1795633200000000);
CREATE TABLE events (
	number INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	retailer VARCHAR(64) NOT NULL, 
	type VARCHAR(64) NOT NULL, 
	object VARCHAR(64) NOT NULL, 
	data JSON NOT NULL, 
	sandbox BOOLEAN NOT NULL, 
	seq BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (retailer, seq), 
	UNIQUE (id), 
	FOREIGN KEY(retailer) REFERENCES retailers (id)
);
INSERT INTO "events" VALUES(1,'events-old','ret-old','type','object','{}',0,7,1795633200000000);
CREATE TABLE home_events (
	home VARCHAR(64) NOT NULL, 
	seq BIGINT NOT NULL, 
	token BLOB NOT NULL, 
	"key" VARCHAR(43), 
	delivery VARCHAR(64), 
	at BIGINT NOT NULL, 
	PRIMARY KEY (home, seq), 
	FOREIGN KEY(home) REFERENCES homes (id), 
	FOREIGN KEY(delivery) REFERENCES deliveries (id)
);
INSERT INTO "home_events" VALUES('home-old',7,X'3737373737373737',NULL,'dlv-old',1795633200000000);
CREATE TABLE homes (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'home-%'), 
	shard INTEGER NOT NULL, 
	sandbox BOOLEAN NOT NULL, 
	support_code VARCHAR(16) NOT NULL, 
	box_key VARCHAR(43) NOT NULL, 
	said JSON NOT NULL, 
	retailer VARCHAR(64), 
	joined BIGINT NOT NULL, 
	heard BIGINT, 
	revoked BIGINT, 
	there BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (support_code), 
	FOREIGN KEY(retailer) REFERENCES retailers (id)
);
INSERT INTO "homes" VALUES('home-old',7,0,'support_','box_key','{}','ret-old',1795633200000000,NULL,NULL,0);
CREATE TABLE idempotency (
	retailer VARCHAR(64) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	status INTEGER, 
	headers JSON, 
	body BLOB, 
	created BIGINT NOT NULL, 
	PRIMARY KEY (retailer, "key")
);
INSERT INTO "idempotency" VALUES('retailer','key','fingerpr',NULL,NULL,NULL,1795633200000000);
CREATE TABLE jobs (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'job-%'), 
	home VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	token BLOB NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	delivery VARCHAR(64), 
	browser VARCHAR(64), 
	attempts INTEGER NOT NULL, 
	refused VARCHAR(200), 
	parked BOOLEAN NOT NULL, 
	created BIGINT NOT NULL, 
	due BIGINT, 
	leased BIGINT, 
	received BIGINT, 
	expires BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(home) REFERENCES homes (id), 
	FOREIGN KEY(delivery) REFERENCES deliveries (id)
);
INSERT INTO "jobs" VALUES('job-old','home-old','kind',X'3737373737373737','sha256','dlv-old',NULL,7,NULL,0,1795633200000000,NULL,NULL,NULL,1795633200000000);
CREATE TABLE messages (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'msg-%'), 
	endpoint VARCHAR(64) NOT NULL, 
	event VARCHAR(64) NOT NULL, 
	seq BIGINT NOT NULL, 
	previous BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	tries INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created BIGINT NOT NULL, 
	begun BIGINT NOT NULL, 
	due BIGINT, 
	PRIMARY KEY (id), 
	UNIQUE (endpoint, event), 
	FOREIGN KEY(endpoint) REFERENCES endpoints (id), 
	FOREIGN KEY(event) REFERENCES events (id)
);
INSERT INTO "messages" VALUES('msg-old','ep-old','events-old',7,7,7,7,'active',1795633200000000,1795633200000000,NULL);
CREATE TABLE retailers (
	id VARCHAR(64) NOT NULL CHECK (id LIKE 'ret-%'), 
	name VARCHAR(80) NOT NULL, 
	told BIGINT NOT NULL, 
	created BIGINT NOT NULL, 
	ends BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "retailers" VALUES('ret-uejy5wzqtenqmkgysievpglyxm','Maison Lune',0,1795633200000000,NULL);
INSERT INTO "retailers" VALUES('ret-old','name',7,1795633200000000,NULL);
CREATE TABLE shares (
	number INTEGER NOT NULL, 
	holder INTEGER NOT NULL, 
	until BIGINT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "shares" VALUES(7,7,1795633200000000);
CREATE INDEX retailers_ending ON retailers (ends);
CREATE INDEX idempotency_created ON idempotency (created);
CREATE INDEX ix_api_keys_retailer ON api_keys (retailer);
CREATE INDEX ix_brands_retailer ON brands (retailer);
CREATE INDEX homes_there ON homes (there);
CREATE INDEX homes_revoked ON homes (revoked);
CREATE INDEX events_of_object ON events (object, number);
CREATE INDEX ix_endpoints_retailer ON endpoints (retailer);
CREATE INDEX keys_by_x ON brand_keys (x, sandbox);
CREATE INDEX keys_of_brand ON brand_keys (brand, sandbox);
CREATE INDEX certificates_issued ON certificates (issued);
CREATE INDEX ix_certificates_home ON certificates (home);
CREATE INDEX certificates_ended ON certificates (ended);
CREATE INDEX connections_waiting ON connections (state, expires);
CREATE INDEX connections_of_brand ON connections (brand, sandbox, state, keys_sent);
CREATE INDEX ix_connections_consent_sha256 ON connections (consent_sha256);
CREATE INDEX ix_connections_retailer ON connections (retailer);
CREATE INDEX connections_of_retailer ON connections (retailer, sandbox, created, id);
CREATE INDEX ix_connections_home ON connections (home);
CREATE INDEX connections_played ON connections (play);
CREATE INDEX messages_of_turn ON messages (endpoint, due, seq);
CREATE INDEX messages_of_endpoint ON messages (endpoint, created);
CREATE INDEX messages_over ON messages (created, state);
CREATE INDEX messages_due ON messages (due);
CREATE INDEX deliveries_by_retailer ON deliveries (retailer, created, id);
CREATE INDEX deliveries_held ON deliveries (held, window_end);
CREATE INDEX deliveries_played ON deliveries (play);
CREATE INDEX ix_delivery_versions_sha256 ON delivery_versions (sha256);
CREATE INDEX jobs_in_turn ON jobs (due, created);
CREATE INDEX jobs_of_browser ON jobs (home, browser);
CREATE INDEX jobs_of_home ON jobs (home, due);
CREATE INDEX jobs_of_delivery ON jobs (delivery, created);
CREATE INDEX jobs_by_token ON jobs (home, sha256);
CREATE INDEX home_events_at ON home_events (at);
CREATE INDEX ix_home_events_delivery ON home_events (delivery);
COMMIT;
