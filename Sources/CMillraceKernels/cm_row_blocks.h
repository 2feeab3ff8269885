// Linear models learnt row by row without L1, four rows at a time: what rows have to do with the
// weights and with each other is known before the first of them is learnt. Within a block a row then
// waits for numbers alone, one in each lane, and the weights are gone through once for all four. The
// next block's products do not wait for the last row's step: it is added to them as a number, and
// the weights get it with the steps of the next block.
// Written once for every set; see cm_body.h and cm_sequential.h.

// What rows of any block are worth, by the decay of the weights alone.
typedef struct {
    // Of each row's step: what is left of it by the time of the rows behind it; 1 for these.
    fours left[CM_GROUP], behind[CM_GROUP];
    // The weights' factor before and after each row, where it begins with 1.
    fours before, after;
} block_decay;

// Rows that are learnt together, and what is known of them.
typedef struct {
    const float *x;
    size_t stride;
    fours labels, sides, rates;
    // Of each row's slope but the last one's: how far it moves the sums of the rows behind it.
    fours reach[CM_GROUP - 1];
    int is_sound;  // whether they can be learnt by it
} row_block;

static block_decay decay_of(double shrink) {
    block_decay decay;
    double scale = 1;
    for (int j = 0; j < CM_GROUP; j++) {
        decay.before[j] = scale;
        scale *= shrink;
        decay.after[j] = scale;
    }
    for (int j = 0; j < CM_GROUP; j++) {
        for (int i = 0; i < CM_GROUP; i++) {
            decay.left[j][i] = i > j ? decay.before[i - j - 1] : 0;
            decay.behind[j][i] = i > j;
        }
    }
    return decay;
}

CM_INLINE fours magnitude_of(fours x) { return (fours)((four_masks)x & INT64_MAX); }

CM_INLINE fours limited_slopes(fours slopes, double limit) {
    slopes = choose_four(slopes > limit, splat_four(limit), slopes);
    return choose_four(slopes < -limit, splat_four(-limit), slopes);
}

CM_INLINE int all_four(four_masks lanes) { return __builtin_reduce_and(lanes) != 0; }

CM_INLINE fours four_doubles(const float *p) {
    quarter x;
    memcpy(&x, p, sizeof x);
    return __builtin_convertvector(x, fours);
}

CM_INLINE fours double_sums(const vf *x) {
    return __builtin_convertvector(four_sums(x), fours);
}

// From a row's products with those behind it.
CM_INLINE fours reach_of(const block_decay *decay, const row_block *block, const int row,
                         fours products) {
    return CM_FMA(decay->left[row], products, decay->behind[row]) *
           (block->sides * (block->sides[row] * block->rates[row]));
}

CM_INLINE four_masks is_within(const int32_t loss, fours reach) {
    return loss == CM_LOSS_LOGISTIC ? magnitude_of(reach) <= 1.0
                                    : magnitude_of(reach) < __builtin_inf();
}

// What the rows of a block have to do with each other.
CM_INLINE void relate(const int32_t loss, const block_decay *decay, const preparation p,
                      row_block *block) {
    vf first[CM_GROUP] = {{0}, {0}, {0}, {0}}, second[CM_GROUP] = {{0}, {0}, {0}, {0}};
    const float *x = block->x;
    const size_t stride = block->stride;
    for (size_t i = 0; i < p.width; i += CM_LANES, x += CM_LANES) {
        vf rows[CM_GROUP];
        CM_UNROLL for (size_t r = 0; r < CM_GROUP; r++) rows[r] = load(x + r * stride);
        first[0] = CM_FMA(rows[2], rows[3], first[0]);
        CM_UNROLL for (int r = 1; r < CM_GROUP; r++) first[r] = CM_FMA(rows[0], rows[r], first[r]);
        CM_UNROLL for (int r = 2; r < CM_GROUP; r++) {
            second[r] = CM_FMA(rows[1], rows[r], second[r]);
        }
    }
    const fours products = double_sums(first);
    const fours one = reach_of(decay, block, 0, products);
    const fours two = reach_of(decay, block, 1, double_sums(second));
    const fours three =
        reach_of(decay, block, 2, __builtin_shufflevector(products, products, 1, 1, 1, 0));
    block->reach[0] = one, block->reach[1] = two, block->reach[2] = three;
    block->is_sound =
        all_four(is_within(loss, one) & is_within(loss, two) & is_within(loss, three));
}

// Whether no number is missing in the rows of a block that is not sound.
CM_INLINE int has_numbers(const row_block *block) {
    four_masks numbers = ~(four_masks){0};
    for (int row = 0; row + 1 < CM_GROUP; row++) numbers &= block->reach[row] == block->reach[row];
    return all_four(numbers);
}

// Everything about the block that begins with `row` but what it has to do with the weights; only
// where its rows would have been made ready if there are too few for one.
CM_INLINE void look_at(const int32_t loss, double rate, const block_decay *decay,
                       const preparation p, const cm_row_source *source, size_t row,
                       row_block *block) {
    int lies = p.in_place && row + CM_GROUP <= p.rows;
    block->x = lies ? p.x + row * p.stride : prepared(p, row);
    block->stride = lies ? p.stride : p.ring_stride;
    if (row + CM_GROUP > p.rows) return;
    block->labels = four_doubles(source->labels + row);
    block->sides = loss == CM_LOSS_LOGISTIC
                       ? choose_four(block->labels == 1.0, splat_four(1), splat_four(-1))
                       : splat_four(1);
    block->rates = splat_four(rate);
    if (source->factors) block->rates = block->rates * four_doubles(source->factors + row);
    for (;; lies = 0) {
        relate(loss, decay, p, block);
        if (!lies || block->is_sound || has_numbers(block)) return;
        block->x = fill_in(p, row, CM_GROUP);
        block->stride = p.ring_stride;
    }
}

// The products of a block's rows with the weights.
CM_INLINE fours multiply_by_weights(const preparation p, const row_block *block) {
    vf sums[CM_GROUP] = {{0}, {0}, {0}, {0}};
    const float *x = block->x;
    const size_t stride = block->stride;
    for (size_t i = 0; i < p.width; i += CM_LANES, x += CM_LANES) {
        const vf weights = load(p.weights + i);
        CM_UNROLL for (size_t r = 0; r < CM_GROUP; r++) {
            sums[r] = CM_FMA(load(x + r * stride), weights, sums[r]);
        }
    }
    return double_sums(sums);
}

// A row's step that the weights do not have yet.
typedef struct {
    const float *x;
    float step;
} late_step;

CM_INLINE void take_late(const preparation p, late_step *late) {
    if (late->step != 0) add_row(p.weights, late->x, late->step, p.width);
    // Of nothing that may be something else by the time it is gone through.
    *late = (late_step){.x = p.weights};
}

// Products of a block's rows but for what the row before them moves them by.
typedef struct {
    fours products;
    fours last;  // with the row before
} early_products;

// Gives the weights the step that they wait for and those of all rows of a block but the last, which
// becomes the late one; returns what comes of the next block's rows.
CM_INLINE early_products step_and_multiply(const preparation p, const row_block *block,
                                           const float *steps, const row_block *next,
                                           const late_step late) {
    vf sums[CM_GROUP] = {{0}, {0}, {0}, {0}}, moves[CM_GROUP] = {{0}, {0}, {0}, {0}};
    const float *x = block->x, *coming = next->x, *before = late.x;
    const size_t stride = block->stride, next_stride = next->stride;
    for (size_t i = 0; i < p.width; i += CM_LANES) {
        vf weights = CM_FMA(load(before + i), splat(late.step), load(p.weights + i));
        CM_UNROLL for (size_t r = 0; r + 1 < CM_GROUP; r++) {
            weights = CM_FMA(load(x + r * stride + i), splat(steps[r]), weights);
        }
        store(p.weights + i, weights);
        const vf last = load(x + (CM_GROUP - 1) * stride + i);
        CM_UNROLL for (size_t r = 0; r < CM_GROUP; r++) {
            const vf row = load(coming + r * next_stride + i);
            sums[r] = CM_FMA(row, weights, sums[r]);
            moves[r] = CM_FMA(row, last, moves[r]);
        }
    }
    return (early_products){double_sums(sums), double_sums(moves)};
}

// A block while it is learnt: each row's sum on its side, and what is waited for of it.
typedef struct {
    fours sums, moves, shares;
    fraction slopes;  // of the logistic loss
    float steps[CM_GROUP];
    double bias;
} block_run;

CM_INLINE void learn_place(const int32_t loss, const cm_linear_learner *constants,
                           const row_block *block, const int place, block_run *run) {
    fours slopes;
    if (loss == CM_LOSS_LOGISTIC) {
        slopes = run->slopes.part / run->slopes.whole;
        if (constants->limit < 1) slopes = limited_slopes(slopes, constants->limit);
    } else {
        slopes = block->labels - run->sums;
        if (loss == CM_LOSS_HUBER) slopes = limited_slopes(slopes, constants->huber);
        slopes = limited_slopes(slopes, constants->limit);
    }
    const fours slope = splat_four(slopes[place]);
    run->bias = CM_FMA(run->moves[place], slope[0], run->bias);
    run->steps[place] = (float)(run->shares[place] * slope[0]);
    if (place + 1 == CM_GROUP) return;
    const fours move = slope * block->reach[place];
    run->sums = run->sums + move;
    if (loss == CM_LOSS_LOGISTIC) run->slopes = grown(run->slopes, move);
}

// `in_place` is that of the preparation, known when this is compiled.
CM_INLINE size_t learn_in_blocks(cm_linear_learner *learner, const int32_t loss, const int in_place,
                                 preparation p, const cm_row_source *source, float *sums) {
    p.in_place = in_place;
    const double shrink = 1 - learner->rate * learner->l2;
    const block_decay decay = decay_of(shrink > 0 ? shrink : 0);
    // In registers: whatever is stored on the way might be what a pointer points at.
    const cm_linear_learner constants = *learner;
    double bias = learner->bias, scale = learner->scale;
    row_block blocks[2];
    prepare_group(p, 0);
    prepare_group(p, CM_GROUP);
    size_t row = 0;
    late_step late = {.x = p.weights};
    look_at(loss, constants.rate, &decay, p, source, 0, &blocks[0]);
    fours products = multiply_by_weights(p, &blocks[0]);
    for (; row + CM_GROUP <= p.rows; row += CM_GROUP) {
        const row_block *block = &blocks[row / CM_GROUP % 2];
        row_block *next = &blocks[(row / CM_GROUP + 1) % 2];
        const size_t coming = row + CM_GROUP, ready = coming + CM_GROUP;
        block_run run = {.bias = bias, .moves = block->sides * block->rates};
        run.sums = CM_FMA(scale * decay.before * block->sides, products, bias * block->sides);
        const double largest = loss == CM_LOSS_LOGISTIC ? CM_LARGEST_EXPONENT : __builtin_inf();
        const int is_sound = block->is_sound && all_four(magnitude_of(run.sums) < largest);
        prepare_group(p, ready);
        // Where steps or sums are too large for this, or lead to no number, or scales too small.
        if (!is_sound || scale * decay.after[CM_GROUP - 1] < 1e-9) {
            learner->bias = bias;
            learner->scale = scale;
            take_late(p, &late);
            for (size_t i = row; i < coming; i++) {
                if (!learn_row(learner, loss, p, source, sums, i)) return i;
            }
            bias = learner->bias;
            scale = learner->scale;
            look_at(loss, constants.rate, &decay, p, source, coming, next);
            products = multiply_by_weights(p, next);
            continue;
        }
        run.shares = run.moves / (scale * decay.after);
        if (loss == CM_LOSS_LOGISTIC) {
            run.slopes.part = splat_four(1);
            run.slopes.whole = 1.0 + exp_within(run.sums);
        }
        learn_place(loss, &constants, block, 0, &run);
        look_at(loss, constants.rate, &decay, p, source, coming, next);
        learn_place(loss, &constants, block, 1, &run);
        learn_place(loss, &constants, block, 2, &run);
        const early_products early = step_and_multiply(p, block, run.steps, next, late);
        learn_place(loss, &constants, block, 3, &run);
        const quarter found = __builtin_convertvector(run.sums * block->sides, quarter);
        memcpy(sums + row, &found, sizeof found);
        bias = run.bias;
        scale *= decay.after[CM_GROUP - 1];
        late.x = block->x + (CM_GROUP - 1) * block->stride;
        late.step = run.steps[CM_GROUP - 1];
        products = CM_FMA(splat_four((double)late.step), early.last, early.products);
    }
    learner->bias = bias;
    learner->scale = scale;
    take_late(p, &late);
    for (; row < p.rows; row++) {
        if (!learn_row(learner, loss, p, source, sums, row)) return row;
    }
    return row;
}

CM_INLINE size_t learn_by_loss(cm_linear_learner *learner, const int32_t loss, const preparation p,
                               const cm_row_source *source, float *sums) {
    return p.in_place ? learn_in_blocks(learner, loss, 1, p, source, sums)
                      : learn_in_blocks(learner, loss, 0, p, source, sums);
}

static size_t learn_rows(cm_linear_learner *learner, const cm_row_source *source, float *sums,
                         float *scratch) {
    const preparation p = begin_preparation(source, learner->weights, scratch);
    size_t learnt = 0;
    if (learner->l1 != 0) {
        learnt = learn_with_penalty(learner, p, source, sums);
    } else if (learner->loss == CM_LOSS_LOGISTIC) {
        learnt = learn_by_loss(learner, CM_LOSS_LOGISTIC, p, source, sums);
    } else if (learner->loss == CM_LOSS_HUBER) {
        learnt = learn_by_loss(learner, CM_LOSS_HUBER, p, source, sums);
    } else {
        learnt = learn_by_loss(learner, CM_LOSS_SQUARED, p, source, sums);
    }
    memcpy(learner->weights, p.weights, p.width * sizeof(float));
    finish_preparation(&p, source, learnt);
    return learnt;
}
