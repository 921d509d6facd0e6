BEGIN TRANSACTION;
CREATE TABLE alarm (
        session INTEGER NOT NULL REFERENCES session,
        alarm INTEGER NOT NULL,
        rule TEXT NOT NULL,
        kind TEXT NOT NULL,
        priority TEXT NOT NULL,
        text TEXT NOT NULL,
        raised_at INTEGER NOT NULL,
        raised_utc_ms INTEGER NOT NULL,
        cleared_at INTEGER,
        PRIMARY KEY (session, alarm)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "alarm" VALUES(1,1,'asystole','physiological','high','ASYSTOLE',300,1790000003123,800);
CREATE TABLE alignment (
        session INTEGER NOT NULL REFERENCES session,
        signal TEXT NOT NULL,
        idx INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (session, signal, idx)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "alignment" VALUES(1,'acc',49,99);
CREATE TABLE anchor (
        session INTEGER NOT NULL REFERENCES session,
        at INTEGER NOT NULL,
        source_ns INTEGER,
        host_ns INTEGER NOT NULL,
        utc_ns INTEGER NOT NULL,
        PRIMARY KEY (session, at)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "anchor" VALUES(1,99,NULL,6000000000,1790000001113000000);
CREATE TABLE beat (
        session INTEGER NOT NULL REFERENCES session,
        at INTEGER NOT NULL,
        detected_number INTEGER,         -- NULL: only the class of this beat is known
        detected_utc_ms INTEGER,
        detected_decided INTEGER,
        lead TEXT,
        rr_s REAL,
        heart_rate_bpm REAL,
        classified_number INTEGER,       -- NULL: not classified (yet)
        classified_utc_ms INTEGER,
        classified_decided INTEGER,
        label TEXT,
        scores TEXT,
        reason TEXT,
        PRIMARY KEY (session, at)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "beat" VALUES(1,200,2,1790000002123,220,'I',NULL,NULL,5,1790000002123,260,'Q','{}','noise');
INSERT INTO "beat" VALUES(1,300,3,1790000003123,320,'II',0.8125,73.8,4,1790000003123,360,'N','{"N":0.30000000000000004,"S":0.3333333333333333,"V":1e-9,"F":0.0}','');
CREATE TABLE episode (
        session INTEGER NOT NULL REFERENCES session,
        rhythm TEXT NOT NULL,
        onset INTEGER NOT NULL,
        ended INTEGER,
        PRIMARY KEY (session, rhythm, onset)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "episode" VALUES(1,'ASYS',300,800);
CREATE TABLE event (
        session INTEGER NOT NULL REFERENCES session,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        utc_ms INTEGER NOT NULL,
        type TEXT NOT NULL,
        payload TEXT NOT NULL,           -- edge_runtime.events as JSON
        PRIMARY KEY (session, number)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "event" VALUES(1,1,0,1790000000123,'source_opened','{"type":"source_opened","at":0,"decided":0,"source":"chest","family":"fake","model":"model","firmware":"1","rate_hz":100.0,"leads":["I","II"]}');
INSERT INTO "event" VALUES(1,6,300,1790000003123,'rhythm_episode','{"type":"rhythm_episode","at":300,"decided":700,"rhythm":"ASYS","phase":"onset"}');
INSERT INTO "event" VALUES(1,7,300,1790000003123,'alarm_raised','{"type":"alarm_raised","at":300,"decided":700,"alarm":1,"rule":"asystole","kind":"physiological","priority":"high","text":"ASYSTOLE","latched":true,"explanation":{"rule":"asystole","source":"AHA","sentence":"no beat for 4.0 s","values":{"pause_s":4.0}},"trace":null}');
INSERT INTO "event" VALUES(1,8,750,1790000007623,'alarm_state_changed','{"type":"alarm_state_changed","at":750,"decided":750,"alarm":1,"state":"acknowledged","by":"nürse"}');
INSERT INTO "event" VALUES(1,9,800,1790000008123,'rhythm_episode','{"type":"rhythm_episode","at":800,"decided":810,"rhythm":"ASYS","phase":"end"}');
INSERT INTO "event" VALUES(1,10,800,1790000008123,'rhythm_classified','{"type":"rhythm_classified","at":800,"decided":3800,"rhythm":"AFIB","scores":{"N":0.1,"AFIB":0.9}}');
INSERT INTO "event" VALUES(1,11,300,1790000003123,'intervals_measured','{"type":"intervals_measured","at":300,"decided":860,"until":800,"lead":"II","beats":5,"rr_s":0.8,"pr_s":0.16,"qrs_s":0.09,"qt_s":0.38,"qtc_bazett_s":0.425,"qtc_fridericia_s":0.409,"p_wave_share":null,"st_mv":-0.02,"st_slope_mv_per_s":null,"r_on_t":0}');
INSERT INTO "event" VALUES(1,12,800,1790000008123,'alarm_cleared','{"type":"alarm_cleared","at":800,"decided":810,"alarm":1,"rule":"asystole","reason":"beats again"}');
INSERT INTO "event" VALUES(1,13,810,1790000008223,'signal_quality','{"type":"signal_quality","at":810,"decided":900,"lead":"I","level":"lead off","reason":"flat"}');
INSERT INTO "event" VALUES(1,14,900,1790000009123,'analysis_lead_changed','{"type":"analysis_lead_changed","at":900,"decided":900,"lead":"II","reason":"better"}');
INSERT INTO "event" VALUES(1,15,901,1790000009133,'gap_recorded','{"type":"gap_recorded","at":901,"decided":1000,"n_missing":99,"exact":true,"reason":"lost packet"}');
INSERT INTO "event" VALUES(1,16,1001,1790000010133,'link_state_changed','{"type":"link_state_changed","at":1001,"decided":1001,"up":false,"reason":"cable"}');
INSERT INTO "event" VALUES(1,17,1002,1790000010143,'device_reported','{"type":"device_reported","at":1002,"decided":1002,"battery_percent":null,"contact":true}');
INSERT INTO "event" VALUES(1,18,1003,1790000010153,'user_marked','{"type":"user_marked","at":1003,"decided":1003,"text":"dizzy"}');
INSERT INTO "event" VALUES(1,19,1004,1790000010163,'notice','{"type":"notice","at":1004,"decided":1004,"code":"swapped","message":"check the electrodes"}');
CREATE TABLE gap (
        session INTEGER NOT NULL REFERENCES session,
        signal TEXT NOT NULL,
        first INTEGER NOT NULL,
        n_missing INTEGER NOT NULL,
        exact INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (session, signal, first)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "gap" VALUES(1,'ecg',100,300,1,'lost packet');
CREATE TABLE review (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES session,
        subject TEXT NOT NULL,           -- alarm, beat
        target INTEGER NOT NULL,         -- the alarm's number, or where the beat is
        verdict TEXT NOT NULL,
        label TEXT,                      -- what it is instead
        comment TEXT NOT NULL,
        by TEXT NOT NULL,
        utc_ms INTEGER NOT NULL
    ) STRICT;
CREATE TABLE segment (
        session INTEGER NOT NULL REFERENCES session,
        signal TEXT NOT NULL,
        first INTEGER NOT NULL,
        name TEXT NOT NULL,
        fmt INTEGER NOT NULL,
        n_samples INTEGER, going INTEGER NOT NULL DEFAULT 0,               -- NULL while it is being written
        PRIMARY KEY (session, signal, first)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "segment" VALUES(1,'ecg',0,'ecg_000001',16,100,0);
INSERT INTO "segment" VALUES(1,'ecg',400,'ecg_000002',16,100,0);
CREATE TABLE session (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        subject INTEGER REFERENCES subject,
        source TEXT NOT NULL,
        stream TEXT NOT NULL,            -- StreamOpened as JSON
        started_utc_ns INTEGER NOT NULL,
        ended_utc_ns INTEGER,            -- NULL while it runs, and after a crash until the recovery
        end_reason TEXT,
        bundle_set TEXT NOT NULL,        -- hashes: what the session was made with
        configuration TEXT NOT NULL,
        rules TEXT NOT NULL
    , going INTEGER NOT NULL DEFAULT 0, judged TEXT NOT NULL DEFAULT '[]') STRICT;
INSERT INTO "session" VALUES(1,'20260921T141320Z-68db55',1,'chest','{"source":"chest","family":"fake","model":"model","firmware":"1","loss":{},"signals":[{"id":"ecg","kind":"ecg","unit":"mV","rate_hz":"100","leads":["I","II"],"counts_per_unit":[200.0,1000.0],"baseline":[0,1024]},{"id":"acc","kind":"acc","unit":"mG","rate_hz":"50","leads":["x","y","z"],"counts_per_unit":[1.0,1.0,1.0],"baseline":[0,0,0]}]}',1790000000123000000,1795738327318565297,'stopped','bbbbbbbb','cccccccc','rrrrrrrr',0,'[]');
CREATE TABLE subject (
        id INTEGER PRIMARY KEY,
        label TEXT NOT NULL UNIQUE
    ) STRICT;
INSERT INTO "subject" VALUES(1,'wearer 7');
CREATE INDEX event_by_type ON event (session, type, at);
CREATE INDEX review_of ON review (session, subject, target);
COMMIT;
PRAGMA user_version = 3;
