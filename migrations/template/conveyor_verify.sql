-- Is template/conveyor.sql in place in schema :schema?

SET LOCAL search_path = :"schema";
SELECT count FROM attempt LIMIT 0;
SELECT dead_letter_id FROM parked LIMIT 0;
SELECT redrives, blocks, updated_at, decided_by FROM dead_letter LIMIT 0;
SELECT kind, cluster_id, log_gone, next_offset, rate, n_done, n_held FROM replay LIMIT 0;
SELECT 1 / count(*) FROM pg_indexes WHERE schemaname = :'schema' AND indexname = 'parked_key_idx';
