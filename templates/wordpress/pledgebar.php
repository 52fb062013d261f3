<?php
/**
 * Plugin Name:       Pledgebar
 * Description:       Shows this month's goal: above and below every post, as a block, as a shortcode, and from a pasted address.
 * Version:           {{ version }}
 * Requires at least: 6.1
 * Requires PHP:      7.4
 * Author:            Pledgebar
 * License:           MIT
 * License URI:       https://opensource.org/license/mit
 * Text Domain:       pledgebar
 *
 * Made for one newsroom: its address, its campaign and the style chosen on its snippet page are below. The plugin stores
 * one option and nothing about readers, makes no requests itself, and removes its option when it is deleted.
 *
 * @package Pledgebar
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

const PLEDGEBAR_ADDRESS  = {{ address }};
const PLEDGEBAR_CAMPAIGN = {{ campaign }};
// What the button says, in the language of the readers.
const PLEDGEBAR_BUTTON = {{ button }};
// The chosen style, as it is in the address of a frame, and in that of a picture for feeds.
const PLEDGEBAR_FRAME   = {{ frame }};
const PLEDGEBAR_PICTURE = {{ picture }};
// The frame's box and the frame: its height follows from its width.
const PLEDGEBAR_BOX_STYLE     = {{ box_style }};
const PLEDGEBAR_FRAME_STYLE   = {{ frame_style }};
const PLEDGEBAR_FRAME_HEIGHT  = {{ frame_height }};
const PLEDGEBAR_PICTURE_WIDTH = {{ picture_width }};

// --- The bar -----------------------------------------------------------------

/**
 * An address for the post that is being shown.
 *
 * @param string $path     Path of the address, with the campaign in it.
 * @param array  $settings What the address asks for, besides the post.
 * @return string
 */
function pledgebar_address( $path, $settings ) {
	$post = get_post();
	if ( $post ) {
		/**
		 * What a post's gifts are counted under: its id, unless a filter says otherwise. Up to 64 letters, digits and -_.~/
		 *
		 * @param string  $source The post's id.
		 * @param WP_Post $post   The post.
		 */
		$settings['src'] = apply_filters( 'pledgebar_source', (string) $post->ID, $post );
	}
	return PLEDGEBAR_ADDRESS . $path . '?' . http_build_query( $settings, '', '&', PHP_QUERY_RFC3986 );
}

/**
 * The bar in a frame; in a feed, where frames are lost, as a linked picture. Neither needs a script.
 *
 * @param string $place    Where on the page it is: top, bottom, or another name.
 * @param string $campaign The campaign's name in its address; empty for the one in the settings.
 * @return string
 */
function pledgebar_bar( $place, $campaign = '' ) {
	$campaign = rawurlencode( $campaign ? $campaign : pledgebar_settings()['campaign'] );
	if ( is_feed() ) {
		return pledgebar_picture( $campaign );
	}
	parse_str( PLEDGEBAR_FRAME, $asked );
	$asked['pos'] = $place;
	$post         = get_post();
	if ( $post && 'publish' === $post->post_status ) {
		// After giving, the thank-you page can lead back here.
		$asked['back'] = get_permalink( $post );
	}
	// The theme makes the outer box as wide as the text; a box with a width of its own would leave the column.
	return sprintf(
		'<div class="pledgebar" style="margin-block:24px"><div style="%1$s"><iframe src="%2$s" title="%3$s" height="%4$d" loading="lazy" referrerpolicy="no-referrer" style="%5$s"></iframe></div></div>',
		esc_attr( PLEDGEBAR_BOX_STYLE ),
		esc_url( pledgebar_address( '/embed/' . $campaign, $asked ) ),
		// Two frames on a page need two names.
		esc_attr( PLEDGEBAR_BUTTON . ( 'top' === $place ? ' (1)' : ' (2)' ) ),
		PLEDGEBAR_FRAME_HEIGHT,
		esc_attr( PLEDGEBAR_FRAME_STYLE )
	);
}

/**
 * The bar as a picture that is drawn whenever it is loaded, so that no old sum stays in anybody's feed.
 *
 * @param string $campaign The campaign's name as it is in an address.
 * @return string
 */
function pledgebar_picture( $campaign ) {
	parse_str( PLEDGEBAR_PICTURE, $asked );
	return sprintf(
		'<p><a href="%1$s"><img src="%2$s" width="%3$d" style="max-width:100%%;height:auto;border:0" alt="%4$s"></a></p>',
		esc_url( pledgebar_address( '/go/' . $campaign, array( 'pos' => 'feed' ) ) ),
		esc_url( pledgebar_address( '/embed/' . $campaign . '.png', $asked ) ),
		PLEDGEBAR_PICTURE_WIDTH,
		esc_attr( PLEDGEBAR_BUTTON )
	);
}

// --- In every post -----------------------------------------------------------

/**
 * Puts the bar above and below a post on its own page, and nowhere else: not in lists, excerpts or what other programs ask for.
 *
 * @param string $content The post.
 * @return string
 */
function pledgebar_around( $content ) {
	$is_shown = is_singular( 'post' ) && in_the_loop() && is_main_query() && get_the_ID() === get_queried_object_id();
	if ( ! $is_shown || is_feed() || doing_filter( 'get_the_excerpt' ) || post_password_required() || ! pledgebar_settings()['everywhere'] ) {
		return $content;
	}
	return pledgebar_bar( 'top' ) . $content . pledgebar_bar( 'bottom' );
}
// After WordPress has made its paragraphs.
add_filter( 'the_content', 'pledgebar_around', 20 );

/**
 * Puts the picture below a post in a feed that has whole posts.
 *
 * @param string $content The post.
 * @return string
 */
function pledgebar_in_feed( $content ) {
	if ( post_password_required() || ! pledgebar_settings()['everywhere'] ) {
		return $content;
	}
	return $content . pledgebar_picture( rawurlencode( pledgebar_settings()['campaign'] ) );
}
add_filter( 'the_content_feed', 'pledgebar_in_feed' );

// --- Where an author wants it: block, shortcode, address ---------------------

/**
 * The shortcode: [pledgebar], [pledgebar pos="bottom"], [pledgebar campaign="newsroom"].
 *
 * @param array|string $given What is in the shortcode.
 * @return string
 */
function pledgebar_shortcode( $given ) {
	$given = shortcode_atts( array( 'pos' => 'top', 'campaign' => '' ), $given, 'pledgebar' );
	return pledgebar_bar( sanitize_key( $given['pos'] ), sanitize_title( $given['campaign'] ) );
}

/**
 * The block, as readers see it.
 *
 * @param array $given Its settings.
 * @return string
 */
function pledgebar_block( $given ) {
	return pledgebar_bar( sanitize_key( $given['pos'] ) );
}

/** Registers the shortcode, the block, and our address as one whose bar WordPress shows as it is. */
function pledgebar_register() {
	add_shortcode( 'pledgebar', 'pledgebar_shortcode' );

	$host = preg_quote( preg_replace( '#^https?://#', '', PLEDGEBAR_ADDRESS ), '#' );
	wp_oembed_add_provider( '#^https?://' . $host . '/(c|embed|go)/.+#i', PLEDGEBAR_ADDRESS . '/oembed', true );

	$words = array(
		'place'   => __( 'Place in the article', 'pledgebar' ),
		'top'     => __( 'Above the article', 'pledgebar' ),
		'bottom'  => __( 'Below the article', 'pledgebar' ),
		'picture' => PLEDGEBAR_ADDRESS . '/embed/' . rawurlencode( pledgebar_settings()['campaign'] ) . '.svg?' . PLEDGEBAR_FRAME,
		'alt'     => __( 'This month\'s goal, as readers see it', 'pledgebar' ),
	);
	wp_register_script( 'pledgebar-editor', false, array( 'wp-blocks', 'wp-element', 'wp-block-editor', 'wp-components' ), '{{ version }}', true );
	wp_add_inline_script( 'pledgebar-editor', 'var pledgebar = ' . wp_json_encode( $words ) . ';' . PLEDGEBAR_EDITOR );
	register_block_type(
		'pledgebar/bar',
		array(
			'api_version'     => 2,
			'title'           => __( 'Pledgebar', 'pledgebar' ),
			'description'     => __( 'This month\'s goal, with a button to give.', 'pledgebar' ),
			'category'        => 'embed',
			'icon'            => 'chart-bar',
			'attributes'      => array(
				'pos' => array(
					'type'    => 'string',
					'enum'    => array( 'top', 'bottom' ),
					'default' => 'top',
				),
			),
			'supports'        => array( 'html' => false ),
			'editor_script'   => 'pledgebar-editor',
			'render_callback' => 'pledgebar_block',
		)
	);
}
add_action( 'init', 'pledgebar_register' );

// In the editor the block is a picture: it needs no frame there, and is not counted as a reader.
const PLEDGEBAR_EDITOR = <<<'SCRIPT'
( function ( blocks, element, editor, components ) {
	var el = element.createElement;
	blocks.registerBlockType( 'pledgebar/bar', {
		edit: function ( props ) {
			return el( 'div', editor.useBlockProps(),
				el( editor.InspectorControls, null,
					el( components.PanelBody, null,
						el( components.RadioControl, {
							label: pledgebar.place,
							selected: props.attributes.pos,
							options: [ { value: 'top', label: pledgebar.top }, { value: 'bottom', label: pledgebar.bottom } ],
							onChange: function ( value ) { props.setAttributes( { pos: value } ); }
						} )
					)
				),
				el( 'img', { src: pledgebar.picture, alt: pledgebar.alt, style: { display: 'block', width: '100%', maxWidth: '640px' } } )
			);
		},
		save: function () { return null; }
	} );
} )( window.wp.blocks, window.wp.element, window.wp.blockEditor, window.wp.components );
SCRIPT;

// --- Settings ----------------------------------------------------------------

/**
 * Whether every post has the bar, and of which campaign.
 *
 * @return array
 */
function pledgebar_settings() {
	$usual = array( 'everywhere' => false, 'campaign' => PLEDGEBAR_CAMPAIGN );
	$saved = get_option( 'pledgebar', array() );
	return is_array( $saved ) ? array_merge( $usual, array_intersect_key( $saved, $usual ) ) : $usual;
}

/**
 * What was typed, as it is stored.
 *
 * @param mixed $typed What the form sent.
 * @return array
 */
function pledgebar_tidy( $typed ) {
	$typed    = is_array( $typed ) ? $typed : array();
	$campaign = isset( $typed['campaign'] ) && is_string( $typed['campaign'] ) ? trim( $typed['campaign'] ) : '';
	if ( ! preg_match( '/^[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?$/D', $campaign ) ) {
		add_settings_error( 'pledgebar', 'campaign', __( 'Enter the campaign\'s name as it is in web addresses: lower-case letters, digits and hyphens. Nothing was changed.', 'pledgebar' ) );
		return pledgebar_settings();
	}
	return array( 'everywhere' => ! empty( $typed['everywhere'] ), 'campaign' => $campaign );
}

/** The fields of the page of settings. */
function pledgebar_fields() {
	register_setting( 'pledgebar', 'pledgebar', array( 'sanitize_callback' => 'pledgebar_tidy' ) );
	add_settings_section( 'pledgebar', '', '__return_false', 'pledgebar' );
	add_settings_field( 'everywhere', __( 'Every post', 'pledgebar' ), 'pledgebar_everywhere', 'pledgebar', 'pledgebar' );
	add_settings_field( 'campaign', __( 'Campaign', 'pledgebar' ), 'pledgebar_campaign', 'pledgebar', 'pledgebar', array( 'label_for' => 'pledgebar-campaign' ) );
}
add_action( 'admin_init', 'pledgebar_fields' );

/** The field that decides whether every post has the bar. */
function pledgebar_everywhere() {
	printf(
		'<label><input type="checkbox" name="pledgebar[everywhere]" value="1"%1$s> %2$s</label><p class="description">%3$s</p>',
		checked( pledgebar_settings()['everywhere'], true, false ),
		esc_html__( 'Show the bar above and below every post', 'pledgebar' ),
		esc_html__( 'Only on each post\'s own page. Feeds with whole posts get a linked picture below each post.', 'pledgebar' )
	);
}

/** The field for the campaign. */
function pledgebar_campaign() {
	printf(
		'<input type="text" class="regular-text" id="pledgebar-campaign" name="pledgebar[campaign]" value="%1$s" maxlength="60" required><p class="description">%2$s</p>',
		esc_attr( pledgebar_settings()['campaign'] ),
		/* translators: %s: the beginning of an address. */
		esc_html( sprintf( __( 'Its name in web addresses, after %s', 'pledgebar' ), PLEDGEBAR_ADDRESS . '/c/' ) )
	);
}

/** The page of settings. */
function pledgebar_page() {
	echo '<div class="wrap"><h1>' . esc_html__( 'Pledgebar', 'pledgebar' ) . '</h1><form action="options.php" method="post">';
	settings_fields( 'pledgebar' );
	do_settings_sections( 'pledgebar' );
	submit_button();
	echo '</form></div>';
}

/** The page of settings in the menu, for administrators. */
function pledgebar_menu() {
	add_options_page( __( 'Pledgebar', 'pledgebar' ), __( 'Pledgebar', 'pledgebar' ), 'manage_options', 'pledgebar', 'pledgebar_page' );
}
add_action( 'admin_menu', 'pledgebar_menu' );

/**
 * A link to the settings in the list of plugins.
 *
 * @param array $links The links that are there.
 * @return array
 */
function pledgebar_link( $links ) {
	$link = sprintf( '<a href="%1$s">%2$s</a>', esc_url( admin_url( 'options-general.php?page=pledgebar' ) ), esc_html__( 'Settings', 'pledgebar' ) );
	return array_merge( array( $link ), $links );
}
add_filter( 'plugin_action_links_' . plugin_basename( __FILE__ ), 'pledgebar_link' );

// --- Coming and going --------------------------------------------------------

/** Registers what happens when this plugin is deleted. */
function pledgebar_activate() {
	register_uninstall_hook( __FILE__, 'pledgebar_uninstall' );
}
register_activation_hook( __FILE__, 'pledgebar_activate' );

/** Leaves nothing behind. */
function pledgebar_uninstall() {
	delete_option( 'pledgebar' );
}
