// Stochastic gradient descent on a linear model of one output, one row at a time; see cm_body.h.
// Source: the order of operations of scikit-learn's SGDClassifier and SGDRegressor (Bottou,
// "Stochastic Gradient Descent Tricks", 2012: weights with a common factor; Tsuruoka et al.,
// "Stochastic Gradient Descent Training for L1-regularized Log-linear Models with Cumulative
// Penalty", 2009).

// Sums in four vectors of accumulators, added up in a fixed order.
CM_INLINE float product_of_row(const float *x, const float *w, size_t width) {
    vf sums[4] = {{0}, {0}, {0}, {0}};
    size_t i = 0;
    for (; i + 4 * CM_LANES <= width; i += 4 * CM_LANES) {
        CM_UNROLL for (size_t j = 0; j < 4; j++) {
            sums[j] = CM_FMA(load(x + i + j * CM_LANES), load(w + i + j * CM_LANES), sums[j]);
        }
    }
    for (; i < width; i += CM_LANES) {
        size_t n = up_to_lanes(width - i);
        sums[0] = CM_FMA(load_first(x + i, n), load_first(w + i, n), sums[0]);
    }
    return sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

CM_INLINE void add_row(float *w, const float *x, float by, size_t width) {
    size_t i = 0;
    for (; i + CM_LANES <= width; i += CM_LANES) {
        store(w + i, CM_FMA(load(x + i), splat(by), load(w + i)));
    }
    if (i < width) {
        size_t n = width - i;
        store_first(w + i, CM_FMA(load_first(x + i, n), splat(by), load_first(w + i, n)), n);
    }
}

// The lanes of a vector added up, halves first.
CM_INLINE float sum_of_halves(vf x) {
#if CM_LANES == 16
    typedef float half __attribute__((vector_size(32)));
    half y = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
             __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    vf y = x;
#endif
#if CM_LANES == 4
    quarter z = y;
#else
    quarter z = __builtin_shufflevector(y, y, 0, 1, 2, 3) +
                __builtin_shufflevector(y, y, 4, 5, 6, 7);
#endif
    z = z + __builtin_shufflevector(z, z, 2, 3, 0, 1);
    return z[0] + z[1];
}

// 1 / (1 + exp(x)), the probability of the answer whose log odds are -x, relatively accurate on both
// sides to 1e-14: everything waits for it, so there is no more in it than there must be.
CM_INLINE double probability_against(double x) {
    x = x > 708 ? 708 : x;
    x = x < -708 ? -708 : x;
    double shifted = CM_FMA(x, 1.4426950408889634, CM_ROUND);
    double r = CM_FMA(shifted - CM_ROUND, -0.6931471805599453, x), q = r * r;
    double p = CM_EXP_POLYNOMIAL(r, q, (double));
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return 1 / CM_FMA(p, power, 1.0);
}

CM_INLINE double slope_of_loss(const cm_linear_learner *learner, const int32_t loss, double sum,
                               float label) {
    if (loss == CM_LOSS_LOGISTIC) {
        return label == 1 ? -probability_against(sum) : probability_against(-sum);
    }
    double error = sum - (double)label;
    if (loss == CM_LOSS_SQUARED) return error;
    if (error > learner->huber) return learner->huber;
    return error < -learner->huber ? -learner->huber : error;
}

// Puts the common factor into the weights.
CM_INLINE void fold_scale(cm_linear_learner *learner) {
    for (size_t i = 0; i < learner->width; i++) {
        learner->weights[i] = (float)((double)learner->weights[i] * learner->scale);
    }
    learner->scale = 1;
}

// Takes from each weight what it owes, never past zero.
CM_INLINE void collect_penalty(cm_linear_learner *learner) {
    double owed = learner->penalty, scale = learner->scale;
    for (size_t i = 0; i < learner->width; i++) {
        double z = learner->weights[i], paid = learner->paid[i];
        double w = z;
        if (scale * w > 0) {
            w -= (owed + paid) / scale;
            w = w > 0 ? w : 0;
        } else if (scale * w < 0) {
            w += (owed - paid) / scale;
            w = w < 0 ? w : 0;
        }
        learner->weights[i] = (float)w;
        learner->paid[i] = paid + scale * ((double)learner->weights[i] - z);
    }
}

// What the next row's step needs of a row: the step of the row before is made on the way.
typedef struct {
    float product;  // the row's with the weights
    float overlap;  // the row's with the row before it
} ahead;

// w += by * x, and what of it and of `row` the next row needs.
CM_INLINE ahead step_and_look(float *w, const float *x, float by, const float *row,
                              const float *next, size_t width) {
    vf products[2] = {{0}, {0}}, overlaps[2] = {{0}, {0}};
    size_t i = 0;
    for (; i + 2 * CM_LANES <= width; i += 2 * CM_LANES) {
        CM_UNROLL for (size_t j = 0; j < 2; j++) {
            const size_t at = i + j * CM_LANES;
            vf weights = CM_FMA(load(x + at), splat(by), load(w + at)), coming = load(next + at);
            store(w + at, weights);
            products[j] = CM_FMA(coming, weights, products[j]);
            overlaps[j] = CM_FMA(coming, load(row + at), overlaps[j]);
        }
    }
    for (; i < width; i += CM_LANES) {
        const size_t n = up_to_lanes(width - i);
        vf weights = CM_FMA(load_first(x + i, n), splat(by), load_first(w + i, n));
        vf coming = load_first(next + i, n);
        store_first(w + i, weights, n);
        products[0] = CM_FMA(coming, weights, products[0]);
        overlaps[0] = CM_FMA(coming, load_first(row + i, n), overlaps[0]);
    }
    return (ahead){.product = sum_of_halves(products[0] + products[1]),
                   .overlap = sum_of_halves(overlaps[0] + overlaps[1])};
}

CM_INLINE double update_of(const cm_linear_learner *learner, const int32_t loss, double sum,
                           float label, const float *factor) {
    double slope = slope_of_loss(learner, loss, sum, label);
    slope = slope > learner->limit ? learner->limit : slope;
    slope = slope < -learner->limit ? -learner->limit : slope;
    return -learner->rate * slope * (factor ? (double)*factor : 1);
}

// Row after row without L1. The sum of a row with the weights is made before the weights have had
// the step of the row before it, and gets what that step adds: no row waits for another's vectors.
CM_INLINE size_t learn_ahead(cm_linear_learner *learner, const int32_t loss, const float *x,
                             size_t stride, size_t rows, const float *labels, const float *factors,
                             float *sums) {
    const double shrink = 1 - learner->rate * learner->l2;
    const int decays = learner->l2 != 0;
    float *w = learner->weights;
    // The step that the weights have not had yet, of the row before.
    double update = 0;
    float step = 0;
    ahead now = {.product = product_of_row(x, w, learner->width)};
    const float *before = x;
    size_t row = 0;
    for (; row < rows; row++) {
        double sum = decays ? learner->scale * now.product + learner->bias
                            : (double)now.product + learner->bias;
        sum = CM_FMA(update, (double)now.overlap + 1, sum);
        sums[row] = (float)sum;
        // Infinity minus itself is no number.
        if (sum - sum != 0) break;
        const float *next = row + 1 < rows ? x + stride : x;
        now = step_and_look(w, before, step, x, next, learner->width);
        learner->bias += update;
        update = update_of(learner, loss, sum, labels[row], factors ? factors + row : NULL);
        step = (float)update;
        if (decays) {
            learner->scale *= shrink > 0 ? shrink : 0;
            if (learner->scale < 1e-9) {
                fold_scale(learner);
                // At once, since the product was made with the weights of before.
                now = step_and_look(w, x, step, x, next, learner->width);
                learner->bias += update;
                update = step = 0;
            } else {
                step = (float)(update / learner->scale);
            }
        }
        before = x;
        x += stride;
    }
    if (step != 0) add_row(w, before, step, learner->width);
    learner->bias += update;
    return row;
}

// Each weight owes a penalty after each row: the next row's sum cannot be made before.
static size_t learn_with_penalty(cm_linear_learner *learner, const float *x, size_t x_stride,
                                 size_t rows, const float *labels, const float *factors,
                                 float *sums) {
    const double shrink = 1 - learner->rate * learner->l2;
    for (size_t row = 0; row < rows; row++, x += x_stride) {
        double product = product_of_row(x, learner->weights, learner->width);
        double sum = learner->scale * product + learner->bias;
        sums[row] = (float)sum;
        if (sum - sum != 0) return row;
        double update = update_of(learner, learner->loss, sum, labels[row],
                                  factors ? factors + row : NULL);
        if (learner->l2 != 0) {
            learner->scale *= shrink > 0 ? shrink : 0;
            if (learner->scale < 1e-9) fold_scale(learner);
        }
        if (update != 0) {
            add_row(learner->weights, x, (float)(update / learner->scale), learner->width);
            learner->bias += update;
        }
        learner->penalty += learner->rate * learner->l1;
        collect_penalty(learner);
    }
    return rows;
}

static size_t learn_rows(cm_linear_learner *learner, const float *x, size_t x_stride, size_t rows,
                         const float *labels, const float *factors, float *sums) {
    if (learner->l1 != 0) {
        return learn_with_penalty(learner, x, x_stride, rows, labels, factors, sums);
    }
#define CM_CASE(LOSS)                                                                              \
    case LOSS: return learn_ahead(learner, LOSS, x, x_stride, rows, labels, factors, sums);
    switch (learner->loss) {
        CM_CASE(CM_LOSS_SQUARED)
        CM_CASE(CM_LOSS_HUBER)
        CM_CASE(CM_LOSS_LOGISTIC)
    }
#undef CM_CASE
    return 0;
}
