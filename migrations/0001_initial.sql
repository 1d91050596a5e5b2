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
	`request_id` VARCHAR(255),
	`superseded` integer DEFAULT 0 NOT NULL
);

CREATE INDEX `minicloud_sagas_state_idx` ON `minicloud_sagas` (`state`,`updated_at`);
CREATE INDEX `minicloud_sagas_key_idx` ON `minicloud_sagas` (`key`);
CREATE TABLE `application_credential_role` (
	`application_credential_id` integer NOT NULL,
	`role_id` VARCHAR(64) NOT NULL,
	PRIMARY KEY(`application_credential_id`, `role_id`),
	FOREIGN KEY (`application_credential_id`) REFERENCES `application_credential`(`internal_id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`role_id`) REFERENCES `role`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `application_credential` (
	`internal_id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` VARCHAR(64) NOT NULL,
	`name` VARCHAR(255) NOT NULL,
	`secret_hash` VARCHAR(255) NOT NULL,
	`description` text,
	`user_id` VARCHAR(64) NOT NULL,
	`project_id` VARCHAR(64),
	`expires_at` integer,
	`system` VARCHAR(64),
	`unrestricted` BOOLEAN DEFAULT false NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE UNIQUE INDEX `application_credential_id_unique` ON `application_credential` (`id`);
CREATE UNIQUE INDEX `duplicate_app_cred_constraint` ON `application_credential` (`user_id`,`name`);
CREATE TABLE `assignment` (
	`type` VARCHAR(64) NOT NULL,
	`actor_id` VARCHAR(64) NOT NULL,
	`target_id` VARCHAR(64) NOT NULL,
	`role_id` VARCHAR(64) NOT NULL,
	`inherited` BOOLEAN NOT NULL,
	PRIMARY KEY(`type`, `actor_id`, `target_id`, `role_id`, `inherited`)
);

CREATE INDEX `ix_actor_id` ON `assignment` (`actor_id`);
CREATE INDEX `assignment_target_id_idx` ON `assignment` (`target_id`);
CREATE TABLE `credential` (
	`id` VARCHAR(64) PRIMARY KEY NOT NULL,
	`user_id` VARCHAR(64) NOT NULL,
	`project_id` VARCHAR(64),
	`type` VARCHAR(255) NOT NULL,
	`encrypted_blob` text NOT NULL,
	`key_hash` VARCHAR(64) NOT NULL,
	`extra` text,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE INDEX `credential_user_id_idx` ON `credential` (`user_id`);
CREATE TABLE `endpoint` (
	`id` VARCHAR(64) PRIMARY KEY NOT NULL,
	`legacy_endpoint_id` VARCHAR(64),
	`interface` VARCHAR(8) NOT NULL,
	`region_id` VARCHAR(255),
	`service_id` VARCHAR(64) NOT NULL,
	`url` text NOT NULL,
	`enabled` BOOLEAN DEFAULT true NOT NULL,
	`extra` text,
	FOREIGN KEY (`region_id`) REFERENCES `region`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`service_id`) REFERENCES `service`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE INDEX `service_id` ON `endpoint` (`service_id`);
CREATE TABLE `group` (
	`id` VARCHAR(64) PRIMARY KEY NOT NULL,
	`domain_id` VARCHAR(64) NOT NULL,
	`name` VARCHAR(64) NOT NULL,
	`description` text,
	`extra` text,
	FOREIGN KEY (`domain_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE UNIQUE INDEX `ixu_group_name_domain_id` ON `group` (`domain_id`,`name`);
CREATE TABLE `implied_role` (
	`prior_role_id` VARCHAR(64) NOT NULL,
	`implied_role_id` VARCHAR(64) NOT NULL,
	PRIMARY KEY(`prior_role_id`, `implied_role_id`),
	FOREIGN KEY (`prior_role_id`) REFERENCES `role`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`implied_role_id`) REFERENCES `role`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `local_user` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` VARCHAR(64) NOT NULL,
	`domain_id` VARCHAR(64) NOT NULL,
	`name` VARCHAR(255) NOT NULL,
	`failed_auth_count` integer,
	`failed_auth_at` DATETIME,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE UNIQUE INDEX `local_user_user_id_unique` ON `local_user` (`user_id`);
CREATE UNIQUE INDEX `local_user_domain_id_name` ON `local_user` (`domain_id`,`name`);
CREATE TABLE `user_group_membership` (
	`user_id` VARCHAR(64) NOT NULL,
	`group_id` VARCHAR(64) NOT NULL,
	PRIMARY KEY(`user_id`, `group_id`),
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`group_id`) REFERENCES `group`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE INDEX `group_id` ON `user_group_membership` (`group_id`);
CREATE TABLE `password` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`local_user_id` integer NOT NULL,
	`password_hash` VARCHAR(255),
	`self_service` BOOLEAN DEFAULT false NOT NULL,
	`created_at` DATETIME NOT NULL,
	`created_at_int` integer NOT NULL,
	`expires_at` DATETIME,
	`expires_at_int` integer,
	FOREIGN KEY (`local_user_id`) REFERENCES `local_user`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE INDEX `password_local_user_id_idx` ON `password` (`local_user_id`);
CREATE TABLE `project_option` (
	`project_id` VARCHAR(64) NOT NULL,
	`option_id` VARCHAR(4) NOT NULL,
	`option_value` text,
	PRIMARY KEY(`project_id`, `option_id`),
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `project_tag` (
	`project_id` VARCHAR(64) NOT NULL,
	`name` VARCHAR(255) NOT NULL,
	PRIMARY KEY(`project_id`, `name`),
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `project` (
	`id` VARCHAR(64) PRIMARY KEY NOT NULL,
	`name` VARCHAR(64) NOT NULL,
	`extra` text,
	`description` text,
	`enabled` BOOLEAN NOT NULL,
	`domain_id` VARCHAR(64) NOT NULL,
	`parent_id` VARCHAR(64),
	`is_domain` BOOLEAN DEFAULT false NOT NULL
);

CREATE INDEX `project_parent_id_idx` ON `project` (`parent_id`);
CREATE UNIQUE INDEX `ixu_project_name_domain_id` ON `project` (`domain_id`,`name`);
CREATE TABLE `region` (
	`id` VARCHAR(255) PRIMARY KEY NOT NULL,
	`description` VARCHAR(255) NOT NULL,
	`parent_region_id` VARCHAR(255),
	`extra` text
);

CREATE TABLE `revocation_event` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`domain_id` VARCHAR(64),
	`project_id` VARCHAR(64),
	`user_id` VARCHAR(64),
	`role_id` VARCHAR(64),
	`trust_id` VARCHAR(64),
	`consumer_id` VARCHAR(64),
	`access_token_id` VARCHAR(64),
	`issued_before` DATETIME NOT NULL,
	`expires_at` DATETIME,
	`revoked_at` DATETIME NOT NULL,
	`audit_id` VARCHAR(32),
	`audit_chain_id` VARCHAR(32)
);

CREATE INDEX `ix_revocation_event_revoked_at` ON `revocation_event` (`revoked_at`);
CREATE TABLE `role_option` (
	`role_id` VARCHAR(64) NOT NULL,
	`option_id` VARCHAR(4) NOT NULL,
	`option_value` text,
	PRIMARY KEY(`role_id`, `option_id`),
	FOREIGN KEY (`role_id`) REFERENCES `role`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `role` (
	`id` VARCHAR(64) PRIMARY KEY NOT NULL,
	`name` VARCHAR(255) NOT NULL,
	`extra` text,
	`domain_id` VARCHAR(64) DEFAULT '<<null>>' NOT NULL,
	`description` text
);

CREATE UNIQUE INDEX `ixu_role_name_domain_id` ON `role` (`name`,`domain_id`);
CREATE TABLE `service` (
	`id` VARCHAR(64) PRIMARY KEY NOT NULL,
	`type` VARCHAR(255),
	`enabled` BOOLEAN DEFAULT true NOT NULL,
	`extra` text
);

CREATE TABLE `system_assignment` (
	`type` VARCHAR(64) NOT NULL,
	`actor_id` VARCHAR(64) NOT NULL,
	`target_id` VARCHAR(64) NOT NULL,
	`role_id` VARCHAR(64) NOT NULL,
	`inherited` BOOLEAN NOT NULL,
	PRIMARY KEY(`type`, `actor_id`, `target_id`, `role_id`, `inherited`)
);

CREATE INDEX `ix_system_actor_id` ON `system_assignment` (`actor_id`);
CREATE TABLE `user_option` (
	`user_id` VARCHAR(64) NOT NULL,
	`option_id` VARCHAR(4) NOT NULL,
	`option_value` text,
	PRIMARY KEY(`user_id`, `option_id`),
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `user` (
	`id` VARCHAR(64) PRIMARY KEY NOT NULL,
	`extra` text,
	`enabled` BOOLEAN NOT NULL,
	`default_project_id` VARCHAR(64),
	`created_at` DATETIME,
	`last_active_at` DATETIME,
	`domain_id` VARCHAR(64) NOT NULL,
	FOREIGN KEY (`domain_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_default_project_id` ON `user` (`default_project_id`);
CREATE INDEX `user_domain_id_idx` ON `user` (`domain_id`);
CREATE TABLE `image_locations` (
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` BOOLEAN DEFAULT false NOT NULL,
	`id` integer PRIMARY KEY NOT NULL,
	`image_id` VARCHAR(36) NOT NULL,
	`value` text NOT NULL,
	`meta_data` text DEFAULT '{}',
	`status` VARCHAR(30) DEFAULT 'active' NOT NULL,
	FOREIGN KEY (`image_id`) REFERENCES `images`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_image_locations_image_id` ON `image_locations` (`image_id`);
CREATE INDEX `ix_image_locations_deleted` ON `image_locations` (`deleted`);
CREATE TABLE `image_members` (
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` BOOLEAN DEFAULT false NOT NULL,
	`id` integer PRIMARY KEY NOT NULL,
	`image_id` VARCHAR(36) NOT NULL,
	`member` VARCHAR(255) NOT NULL,
	`can_share` BOOLEAN DEFAULT false NOT NULL,
	`status` VARCHAR(20) DEFAULT 'pending' NOT NULL,
	FOREIGN KEY (`image_id`) REFERENCES `images`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_image_members_image_id` ON `image_members` (`image_id`);
CREATE INDEX `ix_image_members_image_id_member` ON `image_members` (`image_id`,`member`);
CREATE INDEX `ix_image_members_deleted` ON `image_members` (`deleted`);
CREATE UNIQUE INDEX `image_members_image_id_member_deleted_at_key` ON `image_members` (`image_id`,`member`,`deleted_at`);
CREATE TABLE `image_properties` (
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` BOOLEAN DEFAULT false NOT NULL,
	`id` integer PRIMARY KEY NOT NULL,
	`image_id` VARCHAR(36) NOT NULL,
	`name` VARCHAR(255) NOT NULL,
	`value` text,
	FOREIGN KEY (`image_id`) REFERENCES `images`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_image_properties_image_id` ON `image_properties` (`image_id`);
CREATE INDEX `ix_image_properties_deleted` ON `image_properties` (`deleted`);
CREATE UNIQUE INDEX `ix_image_properties_image_id_name` ON `image_properties` (`image_id`,`name`);
CREATE TABLE `image_tags` (
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` BOOLEAN DEFAULT false NOT NULL,
	`id` integer PRIMARY KEY NOT NULL,
	`image_id` VARCHAR(36) NOT NULL,
	`value` VARCHAR(255) NOT NULL,
	FOREIGN KEY (`image_id`) REFERENCES `images`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_image_tags_image_id` ON `image_tags` (`image_id`);
CREATE INDEX `ix_image_tags_image_id_tag_value` ON `image_tags` (`image_id`,`value`);
CREATE TABLE `images` (
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` BOOLEAN DEFAULT false NOT NULL,
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`name` VARCHAR(255),
	`disk_format` VARCHAR(20),
	`container_format` VARCHAR(20),
	`size` integer,
	`virtual_size` integer,
	`status` VARCHAR(30) NOT NULL,
	`visibility` VARCHAR(9) DEFAULT 'shared' NOT NULL,
	`checksum` VARCHAR(32),
	`os_hash_algo` VARCHAR(64),
	`os_hash_value` VARCHAR(128),
	`min_disk` integer DEFAULT 0 NOT NULL,
	`min_ram` integer DEFAULT 0 NOT NULL,
	`owner` VARCHAR(255),
	`protected` BOOLEAN DEFAULT false NOT NULL,
	`os_hidden` BOOLEAN DEFAULT false NOT NULL
);

CREATE INDEX `checksum_image_idx` ON `images` (`checksum`);
CREATE INDEX `visibility_image_idx` ON `images` (`visibility`);
CREATE INDEX `ix_images_deleted` ON `images` (`deleted`);
CREATE INDEX `owner_image_idx` ON `images` (`owner`);
CREATE INDEX `created_at_image_idx` ON `images` (`created_at`);
CREATE INDEX `updated_at_image_idx` ON `images` (`updated_at`);
CREATE INDEX `os_hidden_image_idx` ON `images` (`os_hidden`);
CREATE INDEX `os_hash_value_image_idx` ON `images` (`os_hash_value`);
CREATE TABLE `default_security_group` (
	`project_id` VARCHAR(255) PRIMARY KEY NOT NULL,
	`security_group_id` VARCHAR(36) NOT NULL,
	FOREIGN KEY (`security_group_id`) REFERENCES `securitygroups`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `floatingips` (
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`name` VARCHAR(255) DEFAULT '' NOT NULL,
	`description` VARCHAR(255) DEFAULT '' NOT NULL,
	`tags` TEXT DEFAULT '[]' NOT NULL,
	`revision_number` integer DEFAULT 0 NOT NULL,
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME NOT NULL,
	`floating_ip_address` VARCHAR(64) NOT NULL,
	`floating_network_id` VARCHAR(36) NOT NULL,
	`floating_port_id` VARCHAR(36) NOT NULL,
	`fixed_port_id` VARCHAR(36),
	`fixed_ip_address` VARCHAR(64),
	`router_id` VARCHAR(36),
	`status` VARCHAR(16) NOT NULL,
	FOREIGN KEY (`floating_port_id`) REFERENCES `ports`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`fixed_port_id`) REFERENCES `ports`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`router_id`) REFERENCES `routers`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_floatingips_project_id` ON `floatingips` (`project_id`);
CREATE INDEX `ix_floatingips_fixed_port_id` ON `floatingips` (`fixed_port_id`);
CREATE INDEX `ix_floatingips_router_id` ON `floatingips` (`router_id`);
CREATE UNIQUE INDEX `uniq_floatingips0floating_port_id` ON `floatingips` (`floating_port_id`);
CREATE TABLE `ipallocationpools` (
	`subnet_id` VARCHAR(36) NOT NULL,
	`first_key` VARCHAR(32) NOT NULL,
	`last_key` VARCHAR(32) NOT NULL,
	PRIMARY KEY(`subnet_id`, `first_key`),
	FOREIGN KEY (`subnet_id`) REFERENCES `subnets`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `ipallocations` (
	`port_id` VARCHAR(36) NOT NULL,
	`subnet_id` VARCHAR(36) NOT NULL,
	`network_id` VARCHAR(36) NOT NULL,
	`ip_address` VARCHAR(64) NOT NULL,
	`ip_key` VARCHAR(32) NOT NULL,
	PRIMARY KEY(`subnet_id`, `ip_key`),
	FOREIGN KEY (`port_id`) REFERENCES `ports`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`subnet_id`) REFERENCES `subnets`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_ipallocations_port_id` ON `ipallocations` (`port_id`);
CREATE INDEX `ix_ipallocations_ip_address_network_id` ON `ipallocations` (`ip_address`,`network_id`);
CREATE TABLE `ipavailabilityranges` (
	`subnet_id` VARCHAR(36) NOT NULL,
	`first_key` VARCHAR(32) NOT NULL,
	`last_key` VARCHAR(32) NOT NULL,
	PRIMARY KEY(`subnet_id`, `first_key`),
	FOREIGN KEY (`subnet_id`) REFERENCES `subnets`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE TABLE `network_quotas` (
	`project_id` VARCHAR(255) NOT NULL,
	`resource` VARCHAR(255) NOT NULL,
	`limit` integer NOT NULL,
	PRIMARY KEY(`project_id`, `resource`)
);

CREATE TABLE `network_seeds` (
	`name` text PRIMARY KEY NOT NULL,
	`resource_id` VARCHAR(36) NOT NULL
);

CREATE TABLE `networks` (
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`name` VARCHAR(255) DEFAULT '' NOT NULL,
	`description` VARCHAR(255) DEFAULT '' NOT NULL,
	`tags` TEXT DEFAULT '[]' NOT NULL,
	`revision_number` integer DEFAULT 0 NOT NULL,
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME NOT NULL,
	`status` VARCHAR(16) NOT NULL,
	`admin_state_up` BOOLEAN NOT NULL,
	`mtu` integer NOT NULL,
	`shared` BOOLEAN NOT NULL,
	`external` BOOLEAN NOT NULL,
	`is_default` BOOLEAN NOT NULL,
	`port_security_enabled` BOOLEAN NOT NULL,
	`network_type` VARCHAR(32) NOT NULL,
	`physical_network` VARCHAR(64),
	`segmentation_id` integer,
	`zone` integer NOT NULL
);

CREATE INDEX `ix_networks_project_id` ON `networks` (`project_id`);
CREATE INDEX `ix_networks_shared` ON `networks` (`shared`);
CREATE UNIQUE INDEX `uniq_networks0zone` ON `networks` (`zone`);
CREATE TABLE `ports` (
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`name` VARCHAR(255) DEFAULT '' NOT NULL,
	`description` VARCHAR(255) DEFAULT '' NOT NULL,
	`tags` TEXT DEFAULT '[]' NOT NULL,
	`revision_number` integer DEFAULT 0 NOT NULL,
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME NOT NULL,
	`network_id` VARCHAR(36) NOT NULL,
	`mac_address` VARCHAR(32) NOT NULL,
	`admin_state_up` BOOLEAN NOT NULL,
	`status` VARCHAR(16) NOT NULL,
	`device_id` VARCHAR(255) NOT NULL,
	`device_owner` VARCHAR(255) NOT NULL,
	`port_security_enabled` BOOLEAN NOT NULL,
	`allowed_address_pairs` TEXT NOT NULL,
	`extra_dhcp_opts` TEXT NOT NULL,
	`dns_name` VARCHAR(255) NOT NULL,
	`host_id` VARCHAR(255) NOT NULL,
	`vnic_type` VARCHAR(64) NOT NULL,
	`profile` TEXT NOT NULL,
	`bridge` VARCHAR(16),
	`request_key` VARCHAR(255),
	`mark` integer,
	FOREIGN KEY (`network_id`) REFERENCES `networks`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_ports_project_id` ON `ports` (`project_id`);
CREATE INDEX `ix_ports_network_id_device_owner` ON `ports` (`network_id`,`device_owner`);
CREATE UNIQUE INDEX `uniq_ports0device_id0request_key` ON `ports` (`device_id`,`request_key`);
CREATE UNIQUE INDEX `uniq_ports0network_id0mac_address` ON `ports` (`network_id`,`mac_address`);
CREATE UNIQUE INDEX `uniq_ports0mark` ON `ports` (`mark`);
CREATE INDEX `ix_ports_with_address_pairs` ON `ports` (`id`) WHERE allowed_address_pairs <> '[]';
CREATE TABLE `routerports` (
	`router_id` VARCHAR(36) NOT NULL,
	`port_id` VARCHAR(36) NOT NULL,
	`port_type` VARCHAR(255) NOT NULL,
	PRIMARY KEY(`router_id`, `port_id`),
	FOREIGN KEY (`router_id`) REFERENCES `routers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`port_id`) REFERENCES `ports`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE UNIQUE INDEX `uniq_routerports0port_id` ON `routerports` (`port_id`);
CREATE TABLE `routers` (
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`name` VARCHAR(255) DEFAULT '' NOT NULL,
	`description` VARCHAR(255) DEFAULT '' NOT NULL,
	`tags` TEXT DEFAULT '[]' NOT NULL,
	`revision_number` integer DEFAULT 0 NOT NULL,
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME NOT NULL,
	`status` VARCHAR(16) NOT NULL,
	`admin_state_up` BOOLEAN NOT NULL,
	`gw_port_id` VARCHAR(36),
	`enable_snat` BOOLEAN NOT NULL,
	`routes` TEXT NOT NULL,
	FOREIGN KEY (`gw_port_id`) REFERENCES `ports`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_routers_project_id` ON `routers` (`project_id`);
CREATE INDEX `ix_routers_gw_port_id` ON `routers` (`gw_port_id`);
CREATE TABLE `securitygroupportbindings` (
	`port_id` VARCHAR(36) NOT NULL,
	`security_group_id` VARCHAR(36) NOT NULL,
	PRIMARY KEY(`port_id`, `security_group_id`),
	FOREIGN KEY (`port_id`) REFERENCES `ports`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`security_group_id`) REFERENCES `securitygroups`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_securitygroupportbindings_security_group_id` ON `securitygroupportbindings` (`security_group_id`);
CREATE TABLE `securitygrouprules` (
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`name` VARCHAR(255) DEFAULT '' NOT NULL,
	`description` VARCHAR(255) DEFAULT '' NOT NULL,
	`tags` TEXT DEFAULT '[]' NOT NULL,
	`revision_number` integer DEFAULT 0 NOT NULL,
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME NOT NULL,
	`security_group_id` VARCHAR(36) NOT NULL,
	`remote_group_id` VARCHAR(36),
	`direction` VARCHAR(16) NOT NULL,
	`ethertype` VARCHAR(40) NOT NULL,
	`protocol` VARCHAR(40),
	`port_range_min` integer,
	`port_range_max` integer,
	`remote_ip_prefix` VARCHAR(255),
	`normalized_cidr` VARCHAR(255),
	FOREIGN KEY (`security_group_id`) REFERENCES `securitygroups`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`remote_group_id`) REFERENCES `securitygroups`(`id`) ON UPDATE no action ON DELETE cascade
);

CREATE INDEX `ix_securitygrouprules_project_id` ON `securitygrouprules` (`project_id`);
CREATE INDEX `ix_securitygrouprules_security_group_id` ON `securitygrouprules` (`security_group_id`);
CREATE INDEX `ix_securitygrouprules_remote_group_id` ON `securitygrouprules` (`remote_group_id`);
CREATE TABLE `securitygroups` (
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`name` VARCHAR(255) DEFAULT '' NOT NULL,
	`description` VARCHAR(255) DEFAULT '' NOT NULL,
	`tags` TEXT DEFAULT '[]' NOT NULL,
	`revision_number` integer DEFAULT 0 NOT NULL,
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME NOT NULL,
	`stateful` BOOLEAN NOT NULL
);

CREATE INDEX `ix_securitygroups_project_id` ON `securitygroups` (`project_id`);
CREATE TABLE `subnets` (
	`id` VARCHAR(36) PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`name` VARCHAR(255) DEFAULT '' NOT NULL,
	`description` VARCHAR(255) DEFAULT '' NOT NULL,
	`tags` TEXT DEFAULT '[]' NOT NULL,
	`revision_number` integer DEFAULT 0 NOT NULL,
	`created_at` DATETIME NOT NULL,
	`updated_at` DATETIME NOT NULL,
	`network_id` VARCHAR(36) NOT NULL,
	`ip_version` integer NOT NULL,
	`cidr` VARCHAR(64) NOT NULL,
	`gateway_ip` VARCHAR(64),
	`enable_dhcp` BOOLEAN NOT NULL,
	`ipv6_ra_mode` VARCHAR(16),
	`ipv6_address_mode` VARCHAR(16),
	`dns_nameservers` TEXT NOT NULL,
	`host_routes` TEXT NOT NULL,
	FOREIGN KEY (`network_id`) REFERENCES `networks`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `ix_subnets_project_id` ON `subnets` (`project_id`);
CREATE INDEX `ix_subnets_network_id` ON `subnets` (`network_id`);
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
CREATE TABLE `cell_mappings` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36) NOT NULL,
	`name` VARCHAR(255),
	`transport_url` text,
	`database_connection` text,
	`disabled` BOOLEAN DEFAULT false
);

CREATE UNIQUE INDEX `uniq_cell_mappings0uuid` ON `cell_mappings` (`uuid`);
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

CREATE INDEX `instance_actions_events_action_id_idx` ON `instance_actions_events` (`action_id`);
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
CREATE TABLE `instance_group_member` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`instance_uuid` VARCHAR(255),
	`group_id` integer NOT NULL,
	FOREIGN KEY (`group_id`) REFERENCES `instance_groups`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `instance_group_member_instance_idx` ON `instance_group_member` (`instance_uuid`);
CREATE TABLE `instance_group_policy` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`policy` VARCHAR(255),
	`group_id` integer NOT NULL,
	`rules` text,
	FOREIGN KEY (`group_id`) REFERENCES `instance_groups`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `instance_group_policy_policy_idx` ON `instance_group_policy` (`policy`);
CREATE TABLE `instance_groups` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` VARCHAR(255),
	`project_id` VARCHAR(255),
	`uuid` VARCHAR(36) NOT NULL,
	`name` VARCHAR(255)
);

CREATE UNIQUE INDEX `uniq_instance_groups0uuid` ON `instance_groups` (`uuid`);
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
CREATE TABLE `migrations` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`source_compute` VARCHAR(255),
	`dest_compute` VARCHAR(255),
	`source_node` VARCHAR(255),
	`dest_node` VARCHAR(255),
	`dest_compute_id` integer,
	`dest_host` VARCHAR(255),
	`old_instance_type_id` integer,
	`new_instance_type_id` integer,
	`instance_uuid` VARCHAR(36),
	`uuid` VARCHAR(36),
	`status` VARCHAR(255),
	`migration_type` VARCHAR(14),
	`hidden` BOOLEAN DEFAULT false,
	`memory_total` integer,
	`memory_processed` integer,
	`memory_remaining` integer,
	`disk_total` integer,
	`disk_processed` integer,
	`disk_remaining` integer,
	`cross_cell_move` BOOLEAN DEFAULT false,
	`user_id` VARCHAR(255),
	`project_id` VARCHAR(255),
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `migrations_by_dest_host_nodes_and_status_idx` ON `migrations` (`deleted`,`dest_compute`,`dest_node`,`status`);
CREATE INDEX `migrations_by_host_nodes_and_status_idx` ON `migrations` (`deleted`,`source_compute`,`dest_compute`,`source_node`,`dest_node`,`status`);
CREATE INDEX `migrations_by_src_host_nodes_and_status_idx` ON `migrations` (`deleted`,`source_compute`,`source_node`,`status`);
CREATE INDEX `migrations_dest_compute_id_deleted_idx` ON `migrations` (`dest_compute_id`,`deleted`);
CREATE INDEX `migrations_instance_uuid_and_status_idx` ON `migrations` (`deleted`,`instance_uuid`,`status`);
CREATE INDEX `migrations_updated_at_idx` ON `migrations` (`updated_at`);
CREATE UNIQUE INDEX `migrations_uuid` ON `migrations` (`uuid`);
CREATE TABLE `project_user_quotas` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`user_id` VARCHAR(255) NOT NULL,
	`resource` VARCHAR(255) NOT NULL,
	`hard_limit` integer
);

CREATE UNIQUE INDEX `uniq_project_user_quotas0user_id0project_id0resource0deleted` ON `project_user_quotas` (`user_id`,`project_id`,`resource`,`deleted`);
CREATE INDEX `project_user_quotas_project_id_deleted_idx` ON `project_user_quotas` (`project_id`,`deleted`);
CREATE INDEX `project_user_quotas_user_id_deleted_idx` ON `project_user_quotas` (`user_id`,`deleted`);
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
CREATE TABLE `share_mapping` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36),
	`instance_uuid` VARCHAR(36),
	`share_id` VARCHAR(36),
	`status` VARCHAR(32),
	`tag` VARCHAR(48),
	`export_location` text,
	`share_proto` VARCHAR(32),
	FOREIGN KEY (`instance_uuid`) REFERENCES `instances`(`uuid`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `share_idx` ON `share_mapping` (`share_id`);
CREATE INDEX `share_mapping_instance_uuid_share_id_idx` ON `share_mapping` (`instance_uuid`,`share_id`);
CREATE UNIQUE INDEX `uniq_key_pairs0instance_uuid0share_id` ON `share_mapping` (`instance_uuid`,`share_id`);
CREATE UNIQUE INDEX `uniq_key_pairs0instance_uuid0tag` ON `share_mapping` (`instance_uuid`,`tag`);
CREATE TABLE `tags` (
	`resource_id` VARCHAR(36) NOT NULL,
	`tag` VARCHAR(80) NOT NULL,
	PRIMARY KEY(`resource_id`, `tag`)
);

CREATE INDEX `tags_tag_idx` ON `tags` (`tag`);
CREATE TABLE `task_log` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer DEFAULT 0,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`task_name` VARCHAR(255) NOT NULL,
	`state` VARCHAR(255) NOT NULL,
	`host` VARCHAR(255) NOT NULL,
	`period_beginning` DATETIME NOT NULL,
	`period_ending` DATETIME NOT NULL,
	`message` VARCHAR(255) NOT NULL,
	`task_items` integer,
	`errors` integer
);

CREATE INDEX `ix_task_log_host` ON `task_log` (`host`);
CREATE INDEX `ix_task_log_period_beginning` ON `task_log` (`period_beginning`);
CREATE INDEX `ix_task_log_period_ending` ON `task_log` (`period_ending`);
CREATE UNIQUE INDEX `uniq_task_log0task_name0host0period_beginning0period_ending` ON `task_log` (`task_name`,`host`,`period_beginning`,`period_ending`);
CREATE TABLE `allocations` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`resource_provider_id` integer NOT NULL,
	`consumer_id` VARCHAR(36) NOT NULL,
	`resource_class_id` integer NOT NULL,
	`used` integer NOT NULL,
	FOREIGN KEY (`resource_provider_id`) REFERENCES `resource_providers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`resource_class_id`) REFERENCES `resource_classes`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `allocations_resource_provider_class_used_idx` ON `allocations` (`resource_provider_id`,`resource_class_id`,`used`);
CREATE INDEX `allocations_resource_class_id_idx` ON `allocations` (`resource_class_id`);
CREATE INDEX `allocations_consumer_id_idx` ON `allocations` (`consumer_id`);
CREATE TABLE `consumer_types` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` VARCHAR(255) NOT NULL
);

CREATE UNIQUE INDEX `uniq_consumer_types0name` ON `consumer_types` (`name`);
CREATE TABLE `consumers` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36) NOT NULL,
	`project_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	`consumer_type_id` integer,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`consumer_type_id`) REFERENCES `consumer_types`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `consumers_project_id_user_id_uuid_idx` ON `consumers` (`project_id`,`user_id`,`uuid`);
CREATE INDEX `consumers_project_id_uuid_idx` ON `consumers` (`project_id`,`uuid`);
CREATE UNIQUE INDEX `uniq_consumers0uuid` ON `consumers` (`uuid`);
CREATE TABLE `inventories` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`resource_provider_id` integer NOT NULL,
	`resource_class_id` integer NOT NULL,
	`total` integer NOT NULL,
	`reserved` integer NOT NULL,
	`min_unit` integer NOT NULL,
	`max_unit` integer NOT NULL,
	`step_size` integer NOT NULL,
	`allocation_ratio` real NOT NULL,
	`used` integer DEFAULT 0 NOT NULL,
	FOREIGN KEY (`resource_provider_id`) REFERENCES `resource_providers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`resource_class_id`) REFERENCES `resource_classes`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `inventories_resource_class_id_idx` ON `inventories` (`resource_class_id`);
CREATE UNIQUE INDEX `uniq_inventories0resource_provider_resource_class` ON `inventories` (`resource_provider_id`,`resource_class_id`);
CREATE TABLE `placement_aggregates` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36) NOT NULL
);

CREATE UNIQUE INDEX `uniq_placement_aggregates0uuid` ON `placement_aggregates` (`uuid`);
CREATE TABLE `projects` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`external_id` VARCHAR(255) NOT NULL
);

CREATE UNIQUE INDEX `uniq_projects0external_id` ON `projects` (`external_id`);
CREATE TABLE `resource_classes` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` VARCHAR(255) NOT NULL
);

CREATE UNIQUE INDEX `uniq_resource_classes0name` ON `resource_classes` (`name`);
CREATE TABLE `resource_provider_aggregates` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`resource_provider_id` integer NOT NULL,
	`aggregate_id` integer NOT NULL,
	PRIMARY KEY(`resource_provider_id`, `aggregate_id`),
	FOREIGN KEY (`resource_provider_id`) REFERENCES `resource_providers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`aggregate_id`) REFERENCES `placement_aggregates`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `resource_provider_aggregates_aggregate_id_idx` ON `resource_provider_aggregates` (`aggregate_id`);
CREATE TABLE `resource_provider_traits` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`trait_id` integer NOT NULL,
	`resource_provider_id` integer NOT NULL,
	PRIMARY KEY(`trait_id`, `resource_provider_id`),
	FOREIGN KEY (`trait_id`) REFERENCES `traits`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`resource_provider_id`) REFERENCES `resource_providers`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `resource_provider_traits_resource_provider_trait_idx` ON `resource_provider_traits` (`resource_provider_id`,`trait_id`);
CREATE TABLE `resource_providers` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`uuid` VARCHAR(36) NOT NULL,
	`name` VARCHAR(200) NOT NULL,
	`generation` integer DEFAULT 0 NOT NULL,
	`root_provider_id` integer,
	`parent_provider_id` integer,
	FOREIGN KEY (`root_provider_id`) REFERENCES `resource_providers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`parent_provider_id`) REFERENCES `resource_providers`(`id`) ON UPDATE no action ON DELETE no action
);

CREATE INDEX `resource_providers_root_provider_id_idx` ON `resource_providers` (`root_provider_id`);
CREATE INDEX `resource_providers_parent_provider_id_idx` ON `resource_providers` (`parent_provider_id`);
CREATE UNIQUE INDEX `uniq_resource_providers0uuid` ON `resource_providers` (`uuid`);
CREATE UNIQUE INDEX `uniq_resource_providers0name` ON `resource_providers` (`name`);
CREATE TABLE `traits` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` VARCHAR(255) NOT NULL
);

CREATE UNIQUE INDEX `uniq_traits0name` ON `traits` (`name`);
CREATE TABLE `users` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`external_id` VARCHAR(255) NOT NULL
);

CREATE UNIQUE INDEX `uniq_users0external_id` ON `users` (`external_id`);

CREATE TABLE `shadow_block_device_mapping` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`instance_uuid` VARCHAR(36),
	`uuid` VARCHAR(36),
	`source_type` VARCHAR(255),
	`destination_type` VARCHAR(255),
	`guest_format` VARCHAR(255),
	`device_type` VARCHAR(255),
	`disk_bus` VARCHAR(255),
	`boot_index` integer,
	`device_name` VARCHAR(255),
	`delete_on_termination` BOOLEAN,
	`snapshot_id` VARCHAR(36),
	`volume_id` VARCHAR(36),
	`volume_size` integer,
	`volume_type` VARCHAR(255),
	`image_id` VARCHAR(36),
	`no_device` BOOLEAN,
	`connection_info` text,
	`tag` VARCHAR(255),
	`attachment_id` VARCHAR(36),
	`encrypted` BOOLEAN,
	`encryption_secret_uuid` VARCHAR(36),
	`encryption_format` VARCHAR(128),
	`encryption_options` VARCHAR(4096)
);

CREATE TABLE `shadow_compute_nodes` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
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
	`stats` text,
	`numa_topology` text,
	`ram_allocation_ratio` real,
	`cpu_allocation_ratio` real,
	`disk_allocation_ratio` real,
	`mapped` integer
);

CREATE TABLE `shadow_instance_actions` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`action` VARCHAR(255),
	`instance_uuid` VARCHAR(36),
	`request_id` VARCHAR(255),
	`user_id` VARCHAR(255),
	`project_id` VARCHAR(255),
	`start_time` DATETIME,
	`finish_time` DATETIME,
	`message` VARCHAR(255)
);

CREATE TABLE `shadow_instance_actions_events` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`event` VARCHAR(255),
	`action_id` integer,
	`start_time` DATETIME,
	`finish_time` DATETIME,
	`result` VARCHAR(255),
	`traceback` text,
	`host` VARCHAR(255),
	`details` text
);

CREATE TABLE `shadow_instance_extra` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`instance_uuid` VARCHAR(36) NOT NULL,
	`device_metadata` text,
	`numa_topology` text,
	`pci_requests` text,
	`flavor` text,
	`vcpu_model` text,
	`migration_context` text,
	`keypairs` text,
	`trusted_certs` text,
	`resources` text
);

CREATE TABLE `shadow_instance_faults` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`instance_uuid` VARCHAR(36),
	`code` integer NOT NULL,
	`message` VARCHAR(255),
	`details` text,
	`host` VARCHAR(255)
);

CREATE TABLE `shadow_instance_id_mappings` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`uuid` VARCHAR(36) NOT NULL
);

CREATE TABLE `shadow_instance_info_caches` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`network_info` text,
	`instance_uuid` VARCHAR(36) NOT NULL
);

CREATE TABLE `shadow_instance_metadata` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`key` VARCHAR(255),
	`value` VARCHAR(255),
	`instance_uuid` VARCHAR(36)
);

CREATE TABLE `shadow_instance_system_metadata` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`key` VARCHAR(255) NOT NULL,
	`value` VARCHAR(255),
	`instance_uuid` VARCHAR(36) NOT NULL
);

CREATE TABLE `shadow_instances` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
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
	`shutdown_terminate` BOOLEAN,
	`disable_terminate` BOOLEAN,
	`cell_name` VARCHAR(255),
	`cleaned` integer,
	`hidden` BOOLEAN
);

CREATE TABLE `shadow_migrations` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`source_compute` VARCHAR(255),
	`dest_compute` VARCHAR(255),
	`source_node` VARCHAR(255),
	`dest_node` VARCHAR(255),
	`dest_compute_id` integer,
	`dest_host` VARCHAR(255),
	`old_instance_type_id` integer,
	`new_instance_type_id` integer,
	`instance_uuid` VARCHAR(36),
	`uuid` VARCHAR(36),
	`status` VARCHAR(255),
	`migration_type` VARCHAR(14),
	`hidden` BOOLEAN,
	`memory_total` integer,
	`memory_processed` integer,
	`memory_remaining` integer,
	`disk_total` integer,
	`disk_processed` integer,
	`disk_remaining` integer,
	`cross_cell_move` BOOLEAN,
	`user_id` VARCHAR(255),
	`project_id` VARCHAR(255)
);

CREATE TABLE `shadow_project_user_quotas` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255) NOT NULL,
	`user_id` VARCHAR(255) NOT NULL,
	`resource` VARCHAR(255) NOT NULL,
	`hard_limit` integer
);

CREATE TABLE `shadow_quota_classes` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`class_name` VARCHAR(255),
	`resource` VARCHAR(255),
	`hard_limit` integer
);

CREATE TABLE `shadow_quotas` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`project_id` VARCHAR(255),
	`resource` VARCHAR(255) NOT NULL,
	`hard_limit` integer
);

CREATE TABLE `shadow_s3_images` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`uuid` VARCHAR(36) NOT NULL
);

CREATE TABLE `shadow_services` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`uuid` VARCHAR(36),
	`host` VARCHAR(255),
	`binary` VARCHAR(255),
	`topic` VARCHAR(255),
	`report_count` integer NOT NULL,
	`disabled` BOOLEAN,
	`disabled_reason` VARCHAR(255),
	`last_seen_up` DATETIME,
	`forced_down` BOOLEAN,
	`version` integer
);

CREATE TABLE `shadow_task_log` (
	`created_at` DATETIME,
	`updated_at` DATETIME,
	`deleted_at` DATETIME,
	`deleted` integer,
	`id` integer PRIMARY KEY NOT NULL,
	`task_name` VARCHAR(255) NOT NULL,
	`state` VARCHAR(255) NOT NULL,
	`host` VARCHAR(255) NOT NULL,
	`period_beginning` DATETIME NOT NULL,
	`period_ending` DATETIME NOT NULL,
	`message` VARCHAR(255) NOT NULL,
	`task_items` integer,
	`errors` integer
);

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
