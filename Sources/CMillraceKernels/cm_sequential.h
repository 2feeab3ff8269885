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

// exp(x) within 6e-11 of it, at least exp(-700) and at most exp(700). The polynomials here are those
// whose largest error is least, in the order in which everything waits the least.
CM_INLINE double exp_of(double x) {
    x = x > 700 ? 700 : x;
    x = x < -700 ? -700 : x;
    double shifted = CM_FMA(x, 1.4426950408889634, CM_ROUND);
    double r = CM_FMA(shifted - CM_ROUND, -0.6931471805599453, x), q = r * r;
    double p = CM_FMA(q, CM_FMA(r, 1.9790341767026256e-04, 1.3944659774293455e-03),
                      CM_FMA(r, 8.333497075129242e-03, 4.1666294945254756e-02));
    p = CM_FMA(q, p, CM_FMA(r, 0.16666665868930783, 0.5000000067682687));
    p = CM_FMA(q, p, 1 + r);
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

// 1 + base * exp(x) for |x| <= 1, within 8e-10 of it.
CM_INLINE double one_plus_grown(double base, double x) {
    double q = x * x;
    double low = CM_FMA(q, CM_FMA(x, 8.333194883040476e-03, 4.1666794656116016e-02),
                        CM_FMA(x, 0.16666669417203805, 0.4999999909507636));
    double high = CM_FMA(q, CM_FMA(x, 2.695181920861396e-06, 2.542680204431491e-05),
                         CM_FMA(x, 1.9860856063117678e-04, 1.3884212952726953e-03));
    return CM_FMA(base * q, CM_FMA(q * q, high, low), CM_FMA(base, 1 + x, 1.0));
}

// Puts the common factor into the weights.
CM_INLINE void fold_scale(float *weights, size_t width, double scale) {
    for (size_t i = 0; i < width; i++) weights[i] = (float)((double)weights[i] * scale);
}

// Takes from each weight what it owes, never past zero.
CM_INLINE void collect_penalty(cm_linear_learner *learner, float *weights, size_t width) {
    double owed = learner->penalty, scale = learner->scale;
    for (size_t i = 0; i < width; i++) {
        double z = weights[i], paid = learner->paid[i];
        double w = z;
        if (scale * w > 0) {
            w -= (owed + paid) / scale;
            w = w > 0 ? w : 0;
        } else if (scale * w < 0) {
            w += (owed - paid) / scale;
            w = w < 0 ? w : 0;
        }
        weights[i] = (float)w;
        learner->paid[i] = paid + scale * ((double)weights[i] - z);
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

CM_INLINE double limited(double slope, double limit) {
    slope = slope > limit ? limit : slope;
    return slope < -limit ? -limit : slope;
}

// A row's update where `rate` has its factor in it. Its sum is `base` and what the update before it
// adds, `change` times `reach`.
CM_INLINE double update_of(const cm_linear_learner *learner, const int32_t loss, double rate,
                           double base, double change, double reach, float label) {
    if (loss == CM_LOSS_LOGISTIC) {
        // Of the right answer's log odds: what is long to find is found before the change is there.
        const double side = label == 1 ? 1 : -1;
        const double odds = exp_of(side * base);
        const double x = change * (side * reach);
        const double all = x >= -1 && x <= 1 ? one_plus_grown(odds, x)
                                             : 1 + exp_of(side * CM_FMA(change, reach, base));
        const double update = side * rate / all;
        return learner->limit < 1 ? limited(update, rate * learner->limit) : update;
    }
    const double error = CM_FMA(change, reach, base) - (double)label;
    const double slope = loss == CM_LOSS_HUBER ? limited(error, learner->huber) : error;
    return -rate * limited(slope, learner->limit);
}

// Row after row without L1. The sum of a row with the weights is made before the weights have had
// the step of the row before it, and gets what that step adds: no row waits for another's vectors.
CM_INLINE size_t learn_ahead(cm_linear_learner *learner, const int32_t loss, const preparation p,
                             const cm_row_source *source, float *sums) {
    const double shrink = 1 - learner->rate * learner->l2;
    const int decays = learner->l2 != 0;
    const float *labels = source->labels, *factors = source->factors;
    // In registers: whatever is stored on the way might be what a pointer points at.
    const cm_linear_learner constants = *learner;
    double bias = learner->bias, scale = learner->scale;
    // The step that the weights have not had yet, of the row before.
    double update = 0;
    float step = 0;
    const float *before = prepared(p, 0);
    ahead now = {.product = product_of_row(before, p.weights, p.width)};
    size_t row = 0;
    for (; row < p.rows; row++) {
        prepare_ahead(p, row);
        const float *x = prepared(p, row);
        double base = decays ? scale * now.product + bias : (double)now.product + bias;
        const double reach = (double)now.overlap + 1, sum = CM_FMA(update, reach, base);
        sums[row] = (float)sum;
        // Infinity minus itself is no number.
        if (sum - sum != 0) break;
        const float *next = row + 1 < p.rows ? prepared(p, row + 1) : x;
        now = step_and_look(p.weights, before, step, x, next, p.width);
        bias += update;
        const double rate = factors ? constants.rate * (double)factors[row] : constants.rate;
        update = update_of(&constants, loss, rate, base, update, reach, labels[row]);
        step = (float)update;
        if (decays) {
            scale *= shrink > 0 ? shrink : 0;
            if (scale < 1e-9) {
                fold_scale(p.weights, p.width, scale);
                scale = 1;
                // At once, since the product was made with the weights of before.
                now = step_and_look(p.weights, x, step, x, next, p.width);
                bias += update;
                update = step = 0;
            } else {
                step = (float)(update / scale);
            }
        }
        before = x;
    }
    if (step != 0) add_row(p.weights, before, step, p.width);
    learner->bias = bias + update;
    learner->scale = scale;
    return row;
}

// Each weight owes a penalty after each row: the next row's sum cannot be made before.
static size_t learn_with_penalty(cm_linear_learner *learner, const preparation p,
                                 const cm_row_source *source, float *sums) {
    const double shrink = 1 - learner->rate * learner->l2;
    for (size_t row = 0; row < p.rows; row++) {
        prepare_ahead(p, row);
        const float *x = prepared(p, row);
        double product = product_of_row(x, p.weights, p.width);
        double sum = learner->scale * product + learner->bias;
        sums[row] = (float)sum;
        if (sum - sum != 0) return row;
        const double rate =
            source->factors ? learner->rate * (double)source->factors[row] : learner->rate;
        double update = update_of(learner, learner->loss, rate, sum, 0, 0, source->labels[row]);
        if (learner->l2 != 0) {
            learner->scale *= shrink > 0 ? shrink : 0;
            if (learner->scale < 1e-9) {
                fold_scale(p.weights, p.width, learner->scale);
                learner->scale = 1;
            }
        }
        if (update != 0) {
            add_row(p.weights, x, (float)(update / learner->scale), p.width);
            learner->bias += update;
        }
        learner->penalty += learner->rate * learner->l1;
        collect_penalty(learner, p.weights, p.width);
    }
    return p.rows;
}

static size_t learn_rows(cm_linear_learner *learner, const cm_row_source *source, float *sums,
                         float *scratch) {
    const preparation p = begin_preparation(source, learner->weights, scratch);
    size_t learnt = 0;
    if (learner->l1 != 0) {
        learnt = learn_with_penalty(learner, p, source, sums);
    } else if (learner->loss == CM_LOSS_LOGISTIC) {
        learnt = learn_ahead(learner, CM_LOSS_LOGISTIC, p, source, sums);
    } else if (learner->loss == CM_LOSS_HUBER) {
        learnt = learn_ahead(learner, CM_LOSS_HUBER, p, source, sums);
    } else {
        learnt = learn_ahead(learner, CM_LOSS_SQUARED, p, source, sums);
    }
    memcpy(learner->weights, p.weights, p.width * sizeof(float));
    finish_preparation(&p, source, learnt);
    return learnt;
}
