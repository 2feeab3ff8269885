// The kernels, written once over vectors of CM_LANES floats. A file for each set compiles them and
// defines before:
//   CM_LANES     floats in a vector
//   CM_VECTORS   vectors in a panel of columns (at most 4)
//   CM_WIDE      panels that one row goes through together
//   CM_DEPTH     inputs for which a panel stays in L1
//   CM_CHAINS    accumulators of each output in a panel of one vector (1, 2 or 4)
//   CM_SINGLES   columns behind the panels that are summed one by one, at the most
//   CM_HALVES    whether columns behind the panels may have half a vector
//   CM_UNROLL_DEPTH   how many inputs a turn of the register block's loop takes
//   CM_FMA       a * b + c, fused or not, of floats and doubles
//   CM_FLUSH     whether denormal numbers count as zero
//   CM_LOAD_FIRST(p, count)   the first `count` floats and zeros, where there is an instruction
//   CM_TILE_BYTES   activations of a tile, for two layers
// The register block is 6 rows by CM_VECTORS vectors of accumulators.

#include "cm_kernels.h"
#include "cm_widen.h"
#include "cm_mode.h"

#include <string.h>

#include "cm_vector.h"

#include "cm_double.h"

#include "cm_layers.h"

#include "cm_columns.h"

#include "cm_rows.h"

#include "cm_batch.h"

#include "cm_byte_sums.h"

#include "cm_forward.h"

#include "cm_turn.h"

#include "cm_product.h"

#include "cm_moments.h"

#include "cm_loss.h"

#include "cm_rank.h"

#include "cm_optimize.h"

#include "cm_prepare.h"

#include "cm_sequential.h"

#include "cm_row_blocks.h"

static const cm_kernel_set kernel_set = {
    .lanes = CM_LANES,
    .panel = CM_LANES * CM_VECTORS,
    .columns = divide_columns,
    .tile_bytes = CM_TILE_BYTES,
    .predict = predict,
    .condition = condition,
    .has_infinity = has_infinity,
    .are_finite = are_finite,
    .activate = activate,
    .differentiate = differentiate,
    .softmax = softmax,
    .normalise = normalise,
    .product = product,
    .product_scratch = product_scratch,
    .column_sums = column_sums,
    .column_moments = column_moments,
    .merge_moments = merge_moments,
    .column_units = column_units,
    .labels_outside = labels_outside,
    .count_odds = count_odds,
    .count_pairs = count_pairs,
    .judge_logistic = judge_logistic,
    .judge_softmax = judge_softmax,
    .optimize = optimize,
    .prepare_rows = prepare_rows,
    .learn_rows = learn_rows,
    .learn_scratch = learn_scratch,
};
