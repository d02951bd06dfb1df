-- title: Proposed changes of production's settings
-- question: What was proposed, who answered it and why, and what became of it?
-- param: since timestamp = 365d | from when
-- column: proposed_at timestamp | when
-- column: target text | the model
-- column: variant text | how it was to run
-- column: way_back boolean | whether it takes an earlier change back
-- column: state text | proposed, approved, written, passed, failed, rejected, withdrawn or rolled_back
-- column: confidence text | of the decision it rests on
-- column: who text | who answered
-- column: reason text | what that person said
-- column: problem text | what was seen: why it is not written, which check failed, why it was withdrawn
-- column: answered_at timestamp | when
-- column: written_at timestamp | when the file was first known to hold it
-- column: by_hand boolean | written by a person, not by the checker
-- column: file text | production's settings file
-- column: backup text | its content before
-- column: switch_id text | the proposal
-- column: decision_id text | what it rests on
SELECT
    proposed_at, target, variant, undoes IS NOT NULL AS way_back, state, confidence, who, reason, problem,
    answered_at, written_at, by_hand, file, backup, id AS switch_id, decision_id
FROM switch
WHERE proposed_at >= :since
ORDER BY proposed_at DESC, id DESC
