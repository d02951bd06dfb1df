-- When counting began anew, from which fingerprint to which, and what had changed, in words.
-- The words stand here and nowhere else: the decision, the status and the report repeat them.
-- What was imported from a results file never said what it ran on: that this program then began to count is no reset.
CREATE VIEW v_fingerprint_reset AS
WITH followed AS (
    SELECT
        v.*,
        lag(v.fingerprint) OVER every AS previous_fingerprint,
        lag(v.imported_only) OVER every AS previous_imported_only,
        lag(v.passed) OVER every AS previous_passed,
        lag(v.failed) OVER every AS previous_failed,
        lag(v.last_at) OVER every AS previous_last_at
    FROM v_confidence v
    WINDOW every AS (PARTITION BY v.target, v.variant, v.candidate, v.counted_as ORDER BY v.stretch)
),
compared AS (
    SELECT
        f.*,
        a.id AS known_before,
        b.id AS known_after,
        rtrim(
            CASE WHEN coalesce(a.torch, '') <> coalesce(b.torch, '')
                THEN 'torch ' || coalesce(a.torch, 'none') || ' → ' || coalesce(b.torch, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.cuda, '') <> coalesce(b.cuda, '')
                THEN 'CUDA ' || coalesce(a.cuda, 'none') || ' → ' || coalesce(b.cuda, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.driver, '') <> coalesce(b.driver, '')
                THEN 'driver ' || coalesce(a.driver, 'none') || ' → ' || coalesce(b.driver, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.gpu, '') <> coalesce(b.gpu, '')
                THEN 'GPU ' || coalesce(a.gpu, 'none') || ' → ' || coalesce(b.gpu, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.device, '') <> coalesce(b.device, '')
                THEN 'device ' || coalesce(a.device, 'none') || ' → ' || coalesce(b.device, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.triton, '') <> coalesce(b.triton, '')
                THEN 'triton ' || coalesce(a.triton, 'none') || ' → ' || coalesce(b.triton, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.python, '') <> coalesce(b.python, '')
                THEN 'Python ' || coalesce(a.python, 'none') || ' → ' || coalesce(b.python, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.target_revision, '') <> coalesce(b.target_revision, '')
                THEN 'target revision ' || coalesce(a.target_revision, 'none') || ' → ' || coalesce(b.target_revision, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.weights_revision, '') <> coalesce(b.weights_revision, '')
                THEN 'weights ' || coalesce(a.weights_revision, 'none') || ' → ' || coalesce(b.weights_revision, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.dtype, '') <> coalesce(b.dtype, '')
                THEN 'dtype ' || coalesce(a.dtype, 'none') || ' → ' || coalesce(b.dtype, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.model_shape, '') <> coalesce(b.model_shape, '')
                THEN 'shape ' || coalesce(a.model_shape, 'none') || ' → ' || coalesce(b.model_shape, 'none') || ', ' ELSE '' END
            || CASE WHEN coalesce(a.timing_method, '') <> coalesce(b.timing_method, '')
                THEN 'timing ' || coalesce(a.timing_method, 'none') || ' → ' || coalesce(b.timing_method, 'none') || ', ' ELSE '' END
            || CASE WHEN a.protocol_version <> b.protocol_version
                THEN 'protocol ' || CAST(a.protocol_version AS text) || ' → ' || CAST(b.protocol_version AS text) || ', '
                ELSE '' END
            || CASE WHEN a.window_shape <> b.window_shape
                THEN 'window ' || a.window_shape || ' → ' || b.window_shape || ', ' ELSE '' END
            -- Rows that do not keep the window keep no threads either.
            || CASE WHEN a.window_shape IS NOT NULL AND b.window_shape IS NOT NULL
                AND coalesce(a.threads, 0) <> coalesce(b.threads, 0)
                THEN 'threads ' || coalesce(CAST(a.threads AS text), 'not fixed') || ' → '
                    || coalesce(CAST(b.threads AS text), 'not fixed') || ', ' ELSE '' END,
            ', '
        ) AS differences
    FROM followed f
    LEFT JOIN environment a ON a.fingerprint = f.previous_fingerprint
    LEFT JOIN environment b ON b.fingerprint = f.fingerprint
    WHERE f.stretch > 1 AND f.imported_only = 0 AND f.previous_imported_only = 0
)
SELECT
    target, variant, candidate, counted_as, first_at AS reset_at, previous_fingerprint, fingerprint,
    CASE
        WHEN known_before IS NULL THEN 'what was counted before did not say what it ran on'
        WHEN known_after IS NULL THEN 'what is counted now does not say what it ran on'
        WHEN differences = '' THEN 'a setting of the probe that older rows do not keep'
        ELSE differences
    END AS changed,
    previous_passed, previous_failed, previous_last_at, current_stretch
FROM compared
