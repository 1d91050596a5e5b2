-- What every database has of cells. A cell's row says `sqlite:///minicloud.db` and `memory:///`: this file, and the queue within the process.
INSERT INTO `cell_mappings` (`created_at`, `uuid`, `name`, `transport_url`, `database_connection`, `disabled`)
VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '00000000-0000-0000-0000-000000000000', 'cell0', 'none:///', 'sqlite:///minicloud.db', 0);
INSERT INTO `cell_mappings` (`created_at`, `uuid`, `name`, `transport_url`, `database_connection`, `disabled`)
VALUES (
	strftime('%Y-%m-%d %H:%M:%f', 'now') || '000',
	lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
	'cell1', 'memory:///', 'sqlite:///minicloud.db', 0
);
CREATE VIEW `host_mappings` AS
SELECT min(n.id) AS id, n.created_at, n.updated_at, c.id AS cell_id, n.host
FROM compute_nodes n JOIN cell_mappings c ON c.uuid <> '00000000-0000-0000-0000-000000000000'
WHERE n.deleted = 0 GROUP BY n.host;
-- In cell0 are those that failed before they ever were on a host.
CREATE VIEW `instance_mappings` AS
SELECT i.id, i.created_at, i.updated_at, i.uuid AS instance_uuid, c.id AS cell_id, i.project_id, i.user_id, i.deleted <> 0 AS queued_for_delete
FROM instances i
JOIN cell_mappings c
	ON (c.uuid = '00000000-0000-0000-0000-000000000000') = (i.vm_state = 'error' AND i.host IS NULL AND i.launched_at IS NULL);
