<?php // wordpress.php SITE ACTION [ARGUMENTS]: what an administrator or a reader would do.
error_reporting(E_ERROR);
[, $site, $task] = $argv;
$_SERVER['HTTP_HOST'] = '127.0.0.1'; $_SERVER['REMOTE_ADDR'] = '127.0.0.1';
if ($task === 'install') define('WP_INSTALLING', true);
require $site . '/wp-load.php';

function when($seconds) { return ['gmt' => gmdate('Y-m-d H:i:s', $seconds), 'local' => get_date_from_gmt(gmdate('Y-m-d H:i:s', $seconds))]; }

if ($task === 'install') {
    require ABSPATH . 'wp-admin/includes/upgrade.php';
    wp_install('Pendlerblog', 'redaktion', 'redaktion@blog.example', true, '', 'test', 'de_DE');
    foreach (['timezone_string' => 'Europe/Berlin', 'permalink_structure' => '/%year%/%monthnum%/%postname%/',
              'comment_moderation' => 0, 'comment_previously_approved' => 0, 'posts_per_rss' => 500,
              'default_pingback_flag' => 0] as $name => $value) update_option($name, $value);
    switch_theme('twentytwentyone');
    wp_delete_post(1, true); wp_delete_post(2, true);
    flush_rewrite_rules();
} elseif ($task === 'post') {
    $at = when((int) $argv[5]);
    echo wp_insert_post(['post_title' => $argv[3], 'post_content' => wpautop(esc_html($argv[4])), 'post_status' => 'publish',
        'post_author' => 1, 'post_date_gmt' => $at['gmt'], 'post_date' => $at['local']]);
} elseif ($task === 'comments') {
    foreach (json_decode(file_get_contents($argv[4]), true) as [$author, $text, $seconds]) {
        $at = when((int) $seconds);
        echo wp_insert_comment(['comment_post_ID' => (int) $argv[3], 'comment_author' => $author, 'comment_content' => $text,
            'comment_approved' => 1, 'comment_date_gmt' => $at['gmt'], 'comment_date' => $at['local'],
            'comment_author_email' => '']), ' ';
    }
} elseif ($task === 'option') {
    update_option($argv[3], $argv[4]);
}
