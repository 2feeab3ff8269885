// The operations of cm_tile_layers.h by the processor's instructions, for functions with the
// targets amx-tile and amx-bf16.

// The registers are the processor's own.
typedef struct {
    char unused;
} registers;

// What LDTILECFG takes: of each register its rows and their bytes.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration;

static void configure(size_t rows) {
    tile_configuration wanted __attribute__((aligned(64))) = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        wanted.row_bytes[i] = CM_TILE_INPUTS * sizeof(uint16_t);
        wanted.rows[i] = i > 5 ? CM_TILE_HEIGHT : (uint8_t)rows;
    }
    _tile_loadconfig(&wanted);
}

#define CONFIGURE(r, rows) ((void)(r), configure(rows))
#define RELEASE(r) _tile_release()
#define ZERO_TILE(r, c) _tile_zero(c)
#define LOAD_TILE(r, i, from) _tile_loadd(i, from, 64)
#define MULTIPLY_TILES(r, c, a, b) _tile_dpbf16ps(c, a, b)
#define STORE_TILE(r, c, to) _tile_stored(c, to, 64)
