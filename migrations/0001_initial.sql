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
CREATE TABLE `aggregate_hosts` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`host` VARCHAR(255),
	`aggregate_id` integer NOT NULL,
	FOREIGN KEY (`aggregate_id`) REFERENCES `aggregates`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE UNIQUE INDEX `uniq_aggregate_hosts0host0aggregate_id` ON `aggregate_hosts` (`host`,`aggregate_id`);
CREATE TABLE `aggregate_metadata` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` VARCHAR(255) NOT NULL,
	`value` VARCHAR(255) NOT NULL,
	`aggregate_id` integer NOT NULL,
	FOREIGN KEY (`aggregate_id`) REFERENCES `aggregates`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `aggregate_metadata_key_idx` ON `aggregate_metadata` (`key`);
CREATE UNIQUE INDEX `uniq_aggregate_metadata0aggregate_id0key` ON `aggregate_metadata` (`aggregate_id`,`key`);
CREATE TABLE `aggregates` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36),
	`name` VARCHAR(255)
);

CREATE INDEX `aggregate_uuid_idx` ON `aggregates` (`uuid`);
CREATE UNIQUE INDEX `uniq_aggregate0name` ON `aggregates` (`name`);
CREATE TABLE `block_device_mapping` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`instance_uuid` VARCHAR(36),
	`uuid` VARCHAR(36),
	`source_type` VARCHAR(255),
	`destination_type` VARCHAR(255),
	`guest_format` VARCHAR(255),
	`device_type` VARCHAR(255),
	`disk_bus` VARCHAR(255),
	`boot_index` integer,
	`device_name` VARCHAR(255),
	`delete_on_termination` BOOLEAN DEFAULT false,
	`snapshot_id` VARCHAR(36),
	`volume_id` VARCHAR(36),
	`volume_size` integer,
	`volume_type` VARCHAR(255),
	`image_id` VARCHAR(36),
	`no_device` BOOLEAN,
	`connection_info` text,
	`tag` VARCHAR(255),
	`attachment_id` VARCHAR(36),
	`encrypted` BOOLEAN DEFAULT false,
	`encryption_secret_uuid` VARCHAR(36),
	`encryption_format` VARCHAR(128),
	`encryption_options` VARCHAR(4096),
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `block_device_mapping_instance_uuid_device_name_idx` ON `block_device_mapping` (`instance_uuid`,`device_name`);
CREATE INDEX `block_device_mapping_instance_uuid_idx` ON `block_device_mapping` (`instance_uuid`);
CREATE INDEX `block_device_mapping_instance_uuid_volume_id_idx` ON `block_device_mapping` (`instance_uuid`,`volume_id`);
CREATE UNIQUE INDEX `uniq_block_device_mapping0uuid` ON `block_device_mapping` (`uuid`);
CREATE INDEX `snapshot_id` ON `block_device_mapping` (`snapshot_id`);
CREATE INDEX `volume_id` ON `block_device_mapping` (`volume_id`);
CREATE TABLE `compute_nodes` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`service_id` integer,
	`host` VARCHAR(255),
	`uuid` VARCHAR(36),
	`vcpus` integer NOT NULL,
	`memory_mb` integer NOT NULL,
	`local_gb` integer NOT NULL,
	`vcpus_used` integer NOT NULL,
	`memory_mb_used` integer NOT NULL,
	`local_gb_used` integer NOT NULL,
	`hypervisor_type` text NOT NULL,
	`hypervisor_version` integer NOT NULL,
	`hypervisor_hostname` VARCHAR(255),
	`free_ram_mb` integer,
	`free_disk_gb` integer,
	`current_workload` integer,
	`running_vms` integer,
	`cpu_info` text NOT NULL,
	`disk_available_least` integer,
	`host_ip` VARCHAR(39),
	`supported_instances` text,
	`metrics` text,
	`pci_stats` text,
	`extra_resources` text,
	`stats` text DEFAULT '{}',
	`numa_topology` text,
	`ram_allocation_ratio` real,
	`cpu_allocation_ratio` real,
	`disk_allocation_ratio` real,
	`mapped` integer DEFAULT 0
);

CREATE UNIQUE INDEX `uniq_compute_nodes0host0hypervisor_hostname0deleted` ON `compute_nodes` (`host`,`hypervisor_hostname`,`deleted`);
CREATE UNIQUE INDEX `compute_nodes_uuid_idx` ON `compute_nodes` (`uuid`);
CREATE TABLE `console_auth_tokens` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`token_hash` VARCHAR(255) NOT NULL,
	`console_type` VARCHAR(255) NOT NULL,
	`host` VARCHAR(255) NOT NULL,
	`port` integer NOT NULL,
	`tls_port` integer,
	`internal_access_path` VARCHAR(255),
	`instance_uuid` VARCHAR(36) NOT NULL,
	`expires` integer NOT NULL,
	`access_url_base` VARCHAR(255)
);

CREATE INDEX `console_auth_tokens_token_hash_instance_uuid_idx` ON `console_auth_tokens` (`token_hash`,`instance_uuid`);
CREATE UNIQUE INDEX `uniq_console_auth_tokens0token_hash` ON `console_auth_tokens` (`token_hash`);
CREATE INDEX `console_auth_tokens_host_expires_idx` ON `console_auth_tokens` (`host`,`expires`);
CREATE INDEX `console_auth_tokens_instance_uuid_idx` ON `console_auth_tokens` (`instance_uuid`);
CREATE TABLE `flavor_extra_specs` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` VARCHAR(255) NOT NULL,
	`value` VARCHAR(255),
	`flavor_id` integer NOT NULL,
	FOREIGN KEY (`flavor_id`) REFERENCES `flavors`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `flavor_extra_specs_flavor_id_key_idx` ON `flavor_extra_specs` (`flavor_id`,`key`);
CREATE UNIQUE INDEX `uniq_flavor_extra_specs0flavor_id0key` ON `flavor_extra_specs` (`flavor_id`,`key`);
CREATE TABLE `flavor_projects` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`flavor_id` integer NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	FOREIGN KEY (`flavor_id`) REFERENCES `flavors`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE UNIQUE INDEX `uniq_flavor_projects0flavor_id0project_id` ON `flavor_projects` (`flavor_id`,`project_id`);
CREATE TABLE `flavors` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` VARCHAR(255) NOT NULL,
	`memory_mb` integer NOT NULL,
	`vcpus` integer NOT NULL,
	`root_gb` integer,
	`ephemeral_gb` integer,
	`flavorid` VARCHAR(255) NOT NULL,
	`swap` integer DEFAULT 0 NOT NULL,
	`rxtx_factor` real DEFAULT 1,
	`vcpu_weight` integer,
	`disabled` BOOLEAN DEFAULT false,
	`is_public` BOOLEAN DEFAULT true,
	`description` text
);

CREATE UNIQUE INDEX `uniq_flavors0name` ON `flavors` (`name`);
CREATE UNIQUE INDEX `uniq_flavors0flavorid` ON `flavors` (`flavorid`);
CREATE TABLE `instance_actions` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`action` VARCHAR(255),
	`instance_uuid` VARCHAR(36),
	`request_id` VARCHAR(255),
	`user_id` VARCHAR(255),
	`project_id` VARCHAR(255),
	`start_time` DATETIME,
	`finish_time` DATETIME,
	`message` VARCHAR(255),
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `instance_actions_instance_uuid_updated_at_idx` ON `instance_actions` (`instance_uuid`,`updated_at`);
CREATE INDEX `instance_uuid_idx` ON `instance_actions` (`instance_uuid`);
CREATE INDEX `request_id_idx` ON `instance_actions` (`request_id`);
CREATE TABLE `instance_actions_events` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`event` VARCHAR(255),
	`action_id` integer,
	`start_time` DATETIME,
	`finish_time` DATETIME,
	`result` VARCHAR(255),
	`traceback` text,
	`host` VARCHAR(255),
	`details` text,
	FOREIGN KEY (`action_id`) REFERENCES `instance_actions`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE TABLE `instance_extra` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`instance_uuid` VARCHAR(36) NOT NULL,
	`device_metadata` text,
	`numa_topology` text,
	`pci_requests` text,
	`flavor` text,
	`vcpu_model` text,
	`migration_context` text,
	`keypairs` text,
	`trusted_certs` text,
	`resources` text,
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `instance_extra_idx` ON `instance_extra` (`instance_uuid`);
CREATE TABLE `instance_faults` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`instance_uuid` VARCHAR(36),
	`code` integer NOT NULL,
	`message` VARCHAR(255),
	`details` text,
	`host` VARCHAR(255),
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `instance_faults_instance_uuid_deleted_created_at_idx` ON `instance_faults` (`instance_uuid`,`deleted`,`created_at`);
CREATE INDEX `instance_faults_host_idx` ON `instance_faults` (`host`);
CREATE TABLE `instance_id_mappings` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36) NOT NULL
);

CREATE INDEX `ix_instance_id_mappings_uuid` ON `instance_id_mappings` (`uuid`);
CREATE TABLE `instance_info_caches` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`network_info` text,
	`instance_uuid` VARCHAR(36) NOT NULL,
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE UNIQUE INDEX `uniq_instance_info_caches0instance_uuid` ON `instance_info_caches` (`instance_uuid`);
CREATE TABLE `instance_metadata` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` VARCHAR(255),
	`value` VARCHAR(255),
	`instance_uuid` VARCHAR(36),
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `instance_metadata_instance_uuid_idx` ON `instance_metadata` (`instance_uuid`);
CREATE TABLE `instance_system_metadata` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` VARCHAR(255) NOT NULL,
	`value` VARCHAR(255),
	`instance_uuid` VARCHAR(36) NOT NULL,
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `instance_uuid` ON `instance_system_metadata` (`instance_uuid`);
CREATE TABLE `instances` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` VARCHAR(255),
	`project_id` VARCHAR(255),
	`image_ref` VARCHAR(255),
	`kernel_id` VARCHAR(255),
	`ramdisk_id` VARCHAR(255),
	`hostname` VARCHAR(255),
	`launch_index` integer,
	`key_name` VARCHAR(255),
	`key_data` text,
	`power_state` integer,
	`vm_state` VARCHAR(255),
	`task_state` VARCHAR(255),
	`memory_mb` integer,
	`vcpus` integer,
	`root_gb` integer,
	`ephemeral_gb` integer,
	`ephemeral_key_uuid` VARCHAR(36),
	`host` VARCHAR(255),
	`node` VARCHAR(255),
	`compute_id` integer,
	`instance_type_id` integer,
	`user_data` text,
	`reservation_id` VARCHAR(255),
	`launched_at` DATETIME,
	`terminated_at` DATETIME,
	`availability_zone` VARCHAR(255),
	`display_name` VARCHAR(255),
	`display_description` VARCHAR(255),
	`launched_on` text,
	`locked` BOOLEAN,
	`locked_by` VARCHAR(5),
	`os_type` VARCHAR(255),
	`architecture` VARCHAR(255),
	`vm_mode` VARCHAR(255),
	`uuid` VARCHAR(36) NOT NULL,
	`root_device_name` VARCHAR(255),
	`default_ephemeral_device` VARCHAR(255),
	`default_swap_device` VARCHAR(255),
	`config_drive` VARCHAR(255),
	`access_ip_v4` VARCHAR(39),
	`access_ip_v6` VARCHAR(39),
	`auto_disk_config` BOOLEAN,
	`progress` integer,
	`shutdown_terminate` BOOLEAN DEFAULT false,
	`disable_terminate` BOOLEAN DEFAULT false,
	`cell_name` VARCHAR(255),
	`cleaned` integer DEFAULT 0,
	`hidden` BOOLEAN DEFAULT false
);

CREATE INDEX `instances_deleted_created_at_idx` ON `instances` (`deleted`,`created_at`);
CREATE INDEX `instances_task_state_updated_at_idx` ON `instances` (`task_state`,`updated_at`);
CREATE INDEX `instances_updated_at_project_id_idx` ON `instances` (`updated_at`,`project_id`);
CREATE INDEX `instances_compute_id_deleted_idx` ON `instances` (`compute_id`,`deleted`);
CREATE INDEX `instances_host_deleted_cleaned_idx` ON `instances` (`host`,`deleted`,`cleaned`);
CREATE INDEX `instances_host_node_deleted_idx` ON `instances` (`host`,`node`,`deleted`);
CREATE INDEX `instances_project_id_deleted_idx` ON `instances` (`project_id`,`deleted`);
CREATE INDEX `instances_uuid_deleted_idx` ON `instances` (`uuid`,`deleted`);
CREATE INDEX `instances_project_id_idx` ON `instances` (`project_id`);
CREATE INDEX `instances_reservation_id_idx` ON `instances` (`reservation_id`);
CREATE INDEX `instances_terminated_at_launched_at_idx` ON `instances` (`terminated_at`,`launched_at`);
CREATE UNIQUE INDEX `uniq_instances0uuid` ON `instances` (`uuid`);
CREATE INDEX `minicloud_instances_list_idx` ON `instances` (`project_id`,`deleted`,`created_at`,`id`);
CREATE INDEX `minicloud_instances_list_all_idx` ON `instances` (`deleted`,`created_at`,`id`);
CREATE TABLE `key_pairs` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` VARCHAR(255) NOT NULL,
	`user_id` VARCHAR(255) NOT NULL,
	`fingerprint` VARCHAR(255),
	`public_key` text,
	`type` VARCHAR(4) DEFAULT 'ssh' NOT NULL
);

CREATE UNIQUE INDEX `uniq_key_pairs0user_id0name` ON `key_pairs` (`user_id`,`name`);
CREATE TABLE `quota_classes` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`class_name` VARCHAR(255),
	`resource` VARCHAR(255),
	`hard_limit` integer
);

CREATE INDEX `ix_quota_classes_class_name` ON `quota_classes` (`class_name`);
CREATE TABLE `quotas` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` VARCHAR(255),
	`resource` VARCHAR(255) NOT NULL,
	`hard_limit` integer
);

CREATE UNIQUE INDEX `uniq_quotas0project_id0resource0deleted` ON `quotas` (`project_id`,`resource`,`deleted`);
CREATE TABLE `request_specs` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`instance_uuid` VARCHAR(36) NOT NULL,
	`spec` text NOT NULL
);

CREATE INDEX `request_spec_instance_uuid_idx` ON `request_specs` (`instance_uuid`);
CREATE UNIQUE INDEX `uniq_request_specs0instance_uuid` ON `request_specs` (`instance_uuid`);
CREATE TABLE `s3_images` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36) NOT NULL
);

CREATE TABLE `services` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36),
	`host` VARCHAR(255),
	`binary` VARCHAR(255),
	`topic` VARCHAR(255),
	`report_count` integer DEFAULT 0 NOT NULL,
	`disabled` BOOLEAN DEFAULT false,
	`disabled_reason` VARCHAR(255),
	`last_seen_up` DATETIME,
	`forced_down` BOOLEAN DEFAULT false,
	`version` integer DEFAULT 0
);

CREATE UNIQUE INDEX `uniq_services0host0binary0deleted` ON `services` (`host`,`binary`,`deleted`);
CREATE UNIQUE INDEX `uniq_services0host0topic0deleted` ON `services` (`host`,`topic`,`deleted`);
CREATE UNIQUE INDEX `services_uuid_idx` ON `services` (`uuid`);
CREATE TABLE `tags` (
	`resource_id` VARCHAR(36) NOT NULL,
	`tag` VARCHAR(80) NOT NULL,
	PRIMARY KEY(`resource_id`, `tag`)
);

CREATE INDEX `tags_tag_idx` ON `tags` (`tag`);
