<?php
define('DB_NAME', 'wp'); define('DB_USER', 'w'); define('DB_PASSWORD', 'w'); define('DB_HOST', '127.0.0.1:@PORT@');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define($name . '_KEY', 'test ' . $name); define($name . '_SALT', 'test salt ' . $name);
}
$table_prefix = 'wp_';
define('WP_DEBUG', false); define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true);
define('WP_HOME', '@URL@'); define('WP_SITEURL', '@URL@');
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
