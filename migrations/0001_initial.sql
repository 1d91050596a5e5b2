CREATE TABLE `minicloud_saga_log` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`saga_id` integer NOT NULL,
	`attempt` integer NOT NULL,
	`step` VARCHAR(64) NOT NULL,
	`event` VARCHAR(16) NOT NULL,
	`output` text,
	`created_at` DATETIME NOT NULL,
	FOREIGN KEY (`saga_id`) REFERENCES `minicloud_sagas`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE INDEX `minicloud_saga_log_saga_id_idx` ON `minicloud_saga_log` (`saga_id`);
CREATE TABLE `minicloud_sagas` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` VARCHAR(64) NOT NULL,
	`key` VARCHAR(255) NOT NULL,
	`state` VARCHAR(16) NOT NULL,
	`attempt` integer DEFAULT 1 NOT NULL,
	`input` TEXT NOT NULL,
	`error` text,
	`request_id` VARCHAR(255)
);

CREATE INDEX `minicloud_sagas_state_idx` ON `minicloud_sagas` (`state`);
CREATE INDEX `minicloud_sagas_key_idx` ON `minicloud_sagas` (`key`);
