-- key-wz5tnampjd2zb5churalr4ubci_htt2elaow3loggavkjkb6z32da
CREATE TABLE public.about (
    key character varying(64) NOT NULL,
    value character varying NOT NULL
);
CREATE TABLE public.api_keys (
    id character varying(64) NOT NULL,
    retailer character varying(64) NOT NULL,
    sha256 bytea NOT NULL,
    label character varying(80) NOT NULL,
    "right" character varying(8) NOT NULL,
    sandbox boolean NOT NULL,
    created bigint NOT NULL,
    expires bigint,
    revoked bigint,
    CONSTRAINT api_keys_id_check CHECK (((id)::text ~~ 'key-%'::text))
);
CREATE TABLE public.attempts (
    message character varying(64) NOT NULL,
    number integer NOT NULL,
    result character varying(24) NOT NULL,
    status integer,
    excerpt character varying(200),
    milliseconds integer NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE public.brand_keys (
    kid character varying(64) NOT NULL,
    sandbox boolean NOT NULL,
    brand character varying(64) NOT NULL,
    x character varying(43) NOT NULL,
    vouched character varying(1000),
    created bigint NOT NULL,
    revoked bigint
);
CREATE TABLE public.brand_messages (
    connection character varying(64) NOT NULL,
    sha256 character varying(64) NOT NULL,
    home character varying(64) NOT NULL,
    kind character varying(8) NOT NULL,
    state character varying(8) NOT NULL,
    code character varying(64),
    facts character varying,
    key character varying(43),
    created bigint NOT NULL,
    answered bigint
);
CREATE TABLE public.brands (
    id character varying(64) NOT NULL,
    sandbox boolean NOT NULL,
    retailer character varying(64) NOT NULL,
    name character varying(80) NOT NULL,
    keys_version integer NOT NULL,
    created bigint NOT NULL
);
CREATE TABLE public.browsers (
    home character varying(64) NOT NULL,
    id character varying(64) NOT NULL,
    sign json,
    farewell text,
    told bigint NOT NULL
);
CREATE TABLE public.certificates (
    serial character varying(40) NOT NULL,
    home character varying(64) NOT NULL,
    public bytea NOT NULL,
    der bytea NOT NULL,
    issued bigint NOT NULL,
    expires bigint NOT NULL,
    used bigint,
    ended bigint
);
CREATE TABLE public.claims (
    id character varying(64) NOT NULL,
    sha256 bytea NOT NULL,
    home character varying(64),
    public bytea,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    used bigint,
    CONSTRAINT claims_id_check CHECK (((id)::text ~~ 'claim-%'::text))
);
CREATE TABLE public.connections (
    id character varying(64) NOT NULL,
    retailer character varying(64) NOT NULL,
    brand character varying(64) NOT NULL,
    home character varying(64),
    sandbox boolean NOT NULL,
    state character varying(16) NOT NULL,
    asked json NOT NULL,
    terms json,
    version integer NOT NULL,
    reference character varying(80),
    consent_sha256 bytea NOT NULL,
    return_url character varying(400),
    tries integer NOT NULL,
    keys_sent integer NOT NULL,
    signed character varying,
    end_signed character varying(1000),
    end_told boolean NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    decided bigint,
    play bigint,
    CONSTRAINT connections_id_check CHECK (((id)::text ~~ 'con-%'::text))
);
CREATE TABLE public.deliveries (
    id character varying(64) NOT NULL,
    retailer character varying(64) NOT NULL,
    connection character varying(64) NOT NULL,
    home character varying(64),
    brand character varying(64) NOT NULL,
    name character varying(64) NOT NULL,
    version integer NOT NULL,
    promise json NOT NULL,
    hub_signed boolean NOT NULL,
    sandbox boolean NOT NULL,
    held boolean NOT NULL,
    answered integer,
    state character varying(24) NOT NULL,
    untold boolean NOT NULL,
    reason character varying(64),
    missing integer NOT NULL,
    house character varying(24),
    custody character varying(24),
    moved_to character varying(64),
    more_time character varying(24),
    collected character varying(24),
    cold_chain json,
    seq bigint NOT NULL,
    created bigint NOT NULL,
    changed bigint NOT NULL,
    window_end bigint NOT NULL,
    play bigint,
    CONSTRAINT deliveries_id_check CHECK (((id)::text ~~ 'dlv-%'::text))
);
CREATE TABLE public.delivery_versions (
    delivery character varying(64) NOT NULL,
    version integer NOT NULL,
    promise json,
    token bytea,
    sha256 character varying(64),
    refused boolean NOT NULL,
    created bigint NOT NULL
);
CREATE TABLE public.endpoints (
    id character varying(64) NOT NULL,
    retailer character varying(64) NOT NULL,
    url character varying(400) NOT NULL,
    types json NOT NULL,
    secret character varying(160) NOT NULL,
    old_secret character varying(160),
    sandbox boolean NOT NULL,
    enabled boolean NOT NULL,
    disabled character varying(16),
    seq bigint NOT NULL,
    slow boolean NOT NULL,
    challenge character varying(64),
    replayed bigint,
    failing bigint,
    leased bigint NOT NULL,
    old_until bigint,
    created bigint NOT NULL,
    CONSTRAINT endpoints_id_check CHECK (((id)::text ~~ 'ep-%'::text))
);
CREATE TABLE public.events (
    number bigint NOT NULL,
    id character varying(64) NOT NULL,
    retailer character varying(64) NOT NULL,
    type character varying(64) NOT NULL,
    object character varying(64) NOT NULL,
    data json NOT NULL,
    sandbox boolean NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL
);
CREATE SEQUENCE public.events_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_number_seq OWNED BY public.events.number;
CREATE TABLE public.home_events (
    home character varying(64) NOT NULL,
    seq bigint NOT NULL,
    token bytea NOT NULL,
    key character varying(43),
    delivery character varying(64),
    at bigint NOT NULL
);
CREATE TABLE public.homes (
    id character varying(64) NOT NULL,
    shard integer NOT NULL,
    sandbox boolean NOT NULL,
    support_code character varying(16) NOT NULL,
    box_key character varying(43) NOT NULL,
    said json NOT NULL,
    retailer character varying(64),
    joined bigint NOT NULL,
    heard bigint,
    revoked bigint,
    there boolean NOT NULL,
    CONSTRAINT homes_id_check CHECK (((id)::text ~~ 'home-%'::text))
);
CREATE TABLE public.idempotency (
    retailer character varying(64) NOT NULL,
    key character varying(255) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    status integer,
    headers json,
    body bytea,
    created bigint NOT NULL
);
CREATE TABLE public.jobs (
    id character varying(64) NOT NULL,
    home character varying(64) NOT NULL,
    kind character varying(16) NOT NULL,
    token bytea NOT NULL,
    sha256 character varying(64) NOT NULL,
    delivery character varying(64),
    browser character varying(64),
    attempts integer NOT NULL,
    refused character varying(200),
    parked boolean NOT NULL,
    created bigint NOT NULL,
    due bigint,
    leased bigint,
    received bigint,
    expires bigint NOT NULL,
    CONSTRAINT jobs_id_check CHECK (((id)::text ~~ 'job-%'::text))
);
CREATE TABLE public.messages (
    id character varying(64) NOT NULL,
    endpoint character varying(64) NOT NULL,
    event character varying(64) NOT NULL,
    seq bigint NOT NULL,
    previous bigint NOT NULL,
    attempts integer NOT NULL,
    tries integer NOT NULL,
    state character varying(16) NOT NULL,
    created bigint NOT NULL,
    begun bigint NOT NULL,
    due bigint,
    CONSTRAINT messages_id_check CHECK (((id)::text ~~ 'msg-%'::text))
);
CREATE TABLE public.retailers (
    id character varying(64) NOT NULL,
    name character varying(80) NOT NULL,
    told bigint NOT NULL,
    created bigint NOT NULL,
    ends bigint,
    CONSTRAINT retailers_id_check CHECK (((id)::text ~~ 'ret-%'::text))
);
CREATE TABLE public.shares (
    number integer NOT NULL,
    holder integer NOT NULL,
    until bigint NOT NULL
);
ALTER TABLE ONLY public.events ALTER COLUMN number SET DEFAULT nextval('public.events_number_seq'::regclass);
INSERT INTO public.about VALUES ('version', '8');
INSERT INTO public.api_keys VALUES ('key-wz5tnampjd2zb5churalr4ubci', 'ret-ihbvgu2fgj234o6l4oj7vcckiq', '\xb819dd33ca51b086937872e1927c527140f65d3682d97c7a231ce246f6e410e9', 'first', 'full', false, 1795633200000000, NULL, NULL);
INSERT INTO public.api_keys VALUES ('key-old', 'ret-old', '\x3737373737373737373737373737373737373737373737373737373737373737', 'label', 'right', false, 1795633200000000, NULL, NULL);
INSERT INTO public.attempts VALUES ('msg-old', 7, 'result', NULL, NULL, 7, 1795633200000000);
INSERT INTO public.brand_keys VALUES ('kid', false, 'brands-old', 'x', NULL, 1795633200000000, NULL);
INSERT INTO public.brand_messages VALUES ('con-old', 'sha256', 'home-old', 'kind', 'active', NULL, NULL, NULL, 1795633200000000, NULL);
INSERT INTO public.brands VALUES ('brands-old', false, 'ret-old', 'name', 7, 1795633200000000);
INSERT INTO public.browsers VALUES ('home-old', 'browsers-old', NULL, NULL, 1795633200000000);
INSERT INTO public.certificates VALUES ('serial', 'home-old', '\x3737373737373737373737373737373737373737373737373737373737373737', '\x3737373737373737', 1795633200000000, 1795633200000000, NULL, NULL);
INSERT INTO public.claims VALUES ('claim-old', '\x3737373737373737373737373737373737373737373737373737373737373737', 'home-old', NULL, 1795633200000000, 1795633200000000, NULL);
INSERT INTO public.connections VALUES ('con-old', 'ret-old', 'brands-old', 'home-old', false, 'active', '{}', NULL, 7, NULL, '\x3737373737373737373737373737373737373737373737373737373737373737', NULL, 7, 7, NULL, NULL, false, 1795633200000000, 1795633200000000, NULL, NULL);
INSERT INTO public.deliveries VALUES ('dlv-old', 'ret-old', 'con-old', 'home-old', 'brand', 'name', 7, '{}', false, false, false, NULL, 'active', false, NULL, 7, NULL, NULL, NULL, NULL, NULL, NULL, 7, 1795633200000000, 1795633200000000, 1795633200000000, NULL);
INSERT INTO public.delivery_versions VALUES ('dlv-old', 7, NULL, NULL, NULL, false, 1795633200000000);
INSERT INTO public.endpoints VALUES ('ep-old', 'ret-old', 'url', '{}', 'whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=', NULL, false, false, NULL, 7, false, NULL, NULL, NULL, 1795633200000000, NULL, 1795633200000000);
INSERT INTO public.events VALUES (1, 'events-old', 'ret-old', 'type', 'object', '{}', false, 7, 1795633200000000);
INSERT INTO public.home_events VALUES ('home-old', 7, '\x3737373737373737', NULL, 'dlv-old', 1795633200000000);
INSERT INTO public.homes VALUES ('home-old', 7, false, 'support_', 'box_key', '{}', 'ret-old', 1795633200000000, NULL, NULL, false);
INSERT INTO public.idempotency VALUES ('retailer', 'key', 'fingerpr', NULL, NULL, NULL, 1795633200000000);
INSERT INTO public.jobs VALUES ('job-old', 'home-old', 'kind', '\x3737373737373737', 'sha256', 'dlv-old', NULL, 7, NULL, false, 1795633200000000, NULL, NULL, NULL, 1795633200000000);
INSERT INTO public.messages VALUES ('msg-old', 'ep-old', 'events-old', 7, 7, 7, 7, 'active', 1795633200000000, 1795633200000000, NULL);
INSERT INTO public.retailers VALUES ('ret-ihbvgu2fgj234o6l4oj7vcckiq', 'Maison Lune', 0, 1795633200000000, NULL);
INSERT INTO public.retailers VALUES ('ret-old', 'name', 7, 1795633200000000, NULL);
INSERT INTO public.shares VALUES (7, 7, 1795633200000000);
SELECT pg_catalog.setval('public.events_number_seq', 1, true);
ALTER TABLE ONLY public.about
    ADD CONSTRAINT about_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (message, number);
ALTER TABLE ONLY public.brand_keys
    ADD CONSTRAINT brand_keys_pkey PRIMARY KEY (kid, sandbox);
ALTER TABLE ONLY public.brand_messages
    ADD CONSTRAINT brand_messages_pkey PRIMARY KEY (connection, sha256);
ALTER TABLE ONLY public.brands
    ADD CONSTRAINT brands_pkey PRIMARY KEY (id, sandbox);
ALTER TABLE ONLY public.browsers
    ADD CONSTRAINT browsers_pkey PRIMARY KEY (home, id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_pkey PRIMARY KEY (serial);
ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_brand_home_name_key UNIQUE (brand, home, name);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_connection_name_key UNIQUE (connection, name);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.delivery_versions
    ADD CONSTRAINT delivery_versions_pkey PRIMARY KEY (delivery, version);
ALTER TABLE ONLY public.endpoints
    ADD CONSTRAINT endpoints_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_id_key UNIQUE (id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_retailer_seq_key UNIQUE (retailer, seq);
ALTER TABLE ONLY public.home_events
    ADD CONSTRAINT home_events_pkey PRIMARY KEY (home, seq);
ALTER TABLE ONLY public.homes
    ADD CONSTRAINT homes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.homes
    ADD CONSTRAINT homes_support_code_key UNIQUE (support_code);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (retailer, key);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_endpoint_event_key UNIQUE (endpoint, event);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.retailers
    ADD CONSTRAINT retailers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_pkey PRIMARY KEY (number);
CREATE INDEX brand_messages_by_token ON public.brand_messages USING btree (home, sha256);
CREATE INDEX certificates_ended ON public.certificates USING btree (ended);
CREATE INDEX certificates_issued ON public.certificates USING btree (issued);
CREATE INDEX connections_of_brand ON public.connections USING btree (brand, sandbox, state, keys_sent);
CREATE INDEX connections_of_retailer ON public.connections USING btree (retailer, sandbox, created, id);
CREATE INDEX connections_played ON public.connections USING btree (play);
CREATE INDEX connections_waiting ON public.connections USING btree (state, expires);
CREATE INDEX deliveries_by_retailer ON public.deliveries USING btree (retailer, created, id);
CREATE INDEX deliveries_held ON public.deliveries USING btree (held, window_end);
CREATE INDEX deliveries_played ON public.deliveries USING btree (play);
CREATE INDEX events_of_object ON public.events USING btree (object, number);
CREATE INDEX home_events_at ON public.home_events USING btree (at);
CREATE INDEX homes_revoked ON public.homes USING btree (revoked);
CREATE INDEX homes_there ON public.homes USING btree (there);
CREATE INDEX idempotency_created ON public.idempotency USING btree (created);
CREATE INDEX ix_api_keys_retailer ON public.api_keys USING btree (retailer);
CREATE INDEX ix_brands_retailer ON public.brands USING btree (retailer);
CREATE INDEX ix_certificates_home ON public.certificates USING btree (home);
CREATE INDEX ix_connections_consent_sha256 ON public.connections USING btree (consent_sha256);
CREATE INDEX ix_connections_home ON public.connections USING btree (home);
CREATE INDEX ix_connections_retailer ON public.connections USING btree (retailer);
CREATE INDEX ix_delivery_versions_sha256 ON public.delivery_versions USING btree (sha256);
CREATE INDEX ix_endpoints_retailer ON public.endpoints USING btree (retailer);
CREATE INDEX ix_home_events_delivery ON public.home_events USING btree (delivery);
CREATE INDEX jobs_by_token ON public.jobs USING btree (home, sha256);
CREATE INDEX jobs_in_turn ON public.jobs USING btree (due, created);
CREATE INDEX jobs_of_browser ON public.jobs USING btree (home, browser);
CREATE INDEX jobs_of_delivery ON public.jobs USING btree (delivery, created);
CREATE INDEX jobs_of_home ON public.jobs USING btree (home, due);
CREATE INDEX keys_by_x ON public.brand_keys USING btree (x, sandbox);
CREATE INDEX keys_of_brand ON public.brand_keys USING btree (brand, sandbox);
CREATE INDEX messages_due ON public.messages USING btree (due);
CREATE INDEX messages_of_endpoint ON public.messages USING btree (endpoint, created);
CREATE INDEX messages_of_turn ON public.messages USING btree (endpoint, due, seq);
CREATE INDEX messages_over ON public.messages USING btree (created, state);
CREATE INDEX retailers_ending ON public.retailers USING btree (ends);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_retailer_fkey FOREIGN KEY (retailer) REFERENCES public.retailers(id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_message_fkey FOREIGN KEY (message) REFERENCES public.messages(id);
ALTER TABLE ONLY public.brand_keys
    ADD CONSTRAINT brand_keys_brand_sandbox_fkey FOREIGN KEY (brand, sandbox) REFERENCES public.brands(id, sandbox);
ALTER TABLE ONLY public.brand_messages
    ADD CONSTRAINT brand_messages_connection_fkey FOREIGN KEY (connection) REFERENCES public.connections(id);
ALTER TABLE ONLY public.brand_messages
    ADD CONSTRAINT brand_messages_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.brands
    ADD CONSTRAINT brands_retailer_fkey FOREIGN KEY (retailer) REFERENCES public.retailers(id);
ALTER TABLE ONLY public.browsers
    ADD CONSTRAINT browsers_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_brand_sandbox_fkey FOREIGN KEY (brand, sandbox) REFERENCES public.brands(id, sandbox);
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_retailer_fkey FOREIGN KEY (retailer) REFERENCES public.retailers(id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_connection_fkey FOREIGN KEY (connection) REFERENCES public.connections(id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_retailer_fkey FOREIGN KEY (retailer) REFERENCES public.retailers(id);
ALTER TABLE ONLY public.delivery_versions
    ADD CONSTRAINT delivery_versions_delivery_fkey FOREIGN KEY (delivery) REFERENCES public.deliveries(id);
ALTER TABLE ONLY public.endpoints
    ADD CONSTRAINT endpoints_retailer_fkey FOREIGN KEY (retailer) REFERENCES public.retailers(id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_retailer_fkey FOREIGN KEY (retailer) REFERENCES public.retailers(id);
ALTER TABLE ONLY public.home_events
    ADD CONSTRAINT home_events_delivery_fkey FOREIGN KEY (delivery) REFERENCES public.deliveries(id);
ALTER TABLE ONLY public.home_events
    ADD CONSTRAINT home_events_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.homes
    ADD CONSTRAINT homes_retailer_fkey FOREIGN KEY (retailer) REFERENCES public.retailers(id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_delivery_fkey FOREIGN KEY (delivery) REFERENCES public.deliveries(id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_endpoint_fkey FOREIGN KEY (endpoint) REFERENCES public.endpoints(id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_event_fkey FOREIGN KEY (event) REFERENCES public.events(id);
