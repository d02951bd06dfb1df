-- Fresh processes counted per variant and candidate across days, anew whenever the fingerprint changes (and again when
-- it changes back): one row per stretch of one fingerprint.
-- current: the newest stretch of its kind of evidence. stands: what the decision counts, since admissible evidence
-- comes before measured, and measured before rehearsed. imported_only: all of it came from a results file. 1 is yes, 0 no.
CREATE VIEW v_confidence AS
WITH marked AS (
    SELECT
        v.*,
        CASE
            WHEN lag(coalesce(v.fingerprint, '')) OVER (
                PARTITION BY v.target, v.variant, v.candidate, v.counted_as ORDER BY v.started_at, v.probe_id
            ) = coalesce(v.fingerprint, '') THEN 0
            ELSE 1
        END AS begins
    FROM v_probe_count v
    WHERE v.counted_as IS NOT NULL
),
stretched AS (
    SELECT
        marked.*,
        sum(begins) OVER (
            PARTITION BY target, variant, candidate, counted_as ORDER BY started_at, probe_id
        ) AS stretch
    FROM marked
),
added AS (
    SELECT
        target, variant, candidate, counted_as, stretch, fingerprint,
        count(*) AS probes,
        sum(passed) AS passed,
        sum(failed) AS failed,
        sum(graph_failures) AS graph_failures,
        count(DISTINCT day) AS days,
        count(DISTINCT CASE WHEN passed > 0 THEN day END) AS days_passed,
        max(CASE WHEN passed > 0 AND regime = 'saturated' THEN 1 ELSE 0 END) AS saturated,
        max(CASE WHEN passed > 0 AND regime = 'growing' THEN 1 ELSE 0 END) AS growing,
        max(cold) AS cold,
        max(warm) AS warm,
        min(CASE WHEN imported THEN 1 ELSE 0 END) AS imported_only,
        min(started_at) AS first_at,
        max(started_at) AS last_at
    FROM stretched
    GROUP BY target, variant, candidate, counted_as, stretch, fingerprint
),
ranked AS (
    SELECT
        added.*,
        max(stretch) OVER (PARTITION BY target, variant, candidate, counted_as) AS newest,
        min(counted_as) OVER (PARTITION BY target, variant, candidate) AS best -- admissible, measured, rehearsed
    FROM added
)
SELECT
    target, variant, candidate, counted_as, stretch, fingerprint, probes, passed, failed, graph_failures, days,
    days_passed, saturated, growing, cold, warm, imported_only, first_at, last_at,
    CASE WHEN stretch = newest THEN 1 ELSE 0 END AS current_stretch,
    CASE WHEN stretch = newest AND counted_as = best THEN 1 ELSE 0 END AS stands
FROM ranked
