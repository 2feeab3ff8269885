// Stochastic gradient descent on a linear model of one output, one row at a time; see cm_body.h.
// Source: the order of operations of scikit-learn's SGDClassifier and SGDRegressor (Bottou,
// "Stochastic Gradient Descent Tricks", 2012: weights with a common factor; Tsuruoka et al.,
// "Stochastic Gradient Descent Training for L1-regularized Log-linear Models with Cumulative
// Penalty", 2009).

// Four doubles, whatever the set's vectors hold: where registers are narrower, functions that take or
// return them are all inlined, so that it does not matter how they would be passed.
#pragma clang diagnostic ignored "-Wpsabi"
typedef double fours __attribute__((vector_size(32)));
typedef int64_t four_masks __attribute__((vector_size(32)));
typedef uint64_t four_words __attribute__((vector_size(32)));

CM_INLINE fours splat_four(double x) { return x - (fours){0}; }

CM_INLINE fours choose_four(four_masks mask, fours a, fours b) {
    return (fours)((mask & (four_masks)a) | (~mask & (four_masks)b));
}

// Behind their width rows and weights have zeros up to whole vectors.
CM_INLINE float product_of_row(const float *x, const float *w, size_t width) {
    vf sums[2] = {{0}, {0}};
    size_t i = 0;
    for (; i + CM_LANES < width; i += 2 * CM_LANES) {
        sums[0] = CM_FMA(load(x + i), load(w + i), sums[0]);
        sums[1] = CM_FMA(load(x + i + CM_LANES), load(w + i + CM_LANES), sums[1]);
    }
    if (i < width) sums[0] = CM_FMA(load(x + i), load(w + i), sums[0]);
    return sum_of_lanes(sums[0] + sums[1]);
}

CM_INLINE void add_row(float *w, const float *x, float by, size_t width) {
    for (size_t i = 0; i < width; i += CM_LANES) {
        store(w + i, CM_FMA(load(x + i), splat(by), load(w + i)));
    }
}

#define CM_LARGEST_EXPONENT 700.0

// exp(x) within 6e-11 of it, for numbers up to the largest exponent on both sides. The polynomial has
// the smallest largest error, in the order in which everything waits the least.
CM_INLINE fours exp_within(fours x) {
    fours shifted = CM_FMA(x, splat_four(1.4426950408889634), splat_four(CM_ROUND));
    fours r = CM_FMA(shifted - CM_ROUND, splat_four(-0.6931471805599453), x), q = r * r;
    fours p = CM_FMA(
        q, CM_FMA(r, splat_four(1.9790341767026256e-04), splat_four(1.3944659774293455e-03)),
        CM_FMA(r, splat_four(8.333497075129242e-03), splat_four(4.1666294945254756e-02)));
    p = CM_FMA(q, p, CM_FMA(r, splat_four(0.16666665868930783), splat_four(0.5000000067682687)));
    p = CM_FMA(q, p, 1.0 + r);
    return p * (fours)(((four_words)shifted + 1023) << 52);
}

// The same, and beyond them what it is there.
CM_INLINE fours exp_of(fours x) {
    x = choose_four(x > CM_LARGEST_EXPONENT, splat_four(CM_LARGEST_EXPONENT), x);
    return exp_within(choose_four(x < -CM_LARGEST_EXPONENT, splat_four(-CM_LARGEST_EXPONENT), x));
}

// part / whole, the probability of the wrong answer: 1 / (1 + exp(x)).
typedef struct {
    fours part, whole;
} fraction;

// It once x has grown by |y| <= 1, where exp(y) is a quotient p(y) / p(-y) within 1.6e-10 of it: no
// division waits for another, and each number waits for three operations.
CM_INLINE fraction grown(fraction f, fours y) {
    const double odd = 0.49999999931802663, odd3 = 0.01187261735609159;
    const double even2 = 0.10707854970457978, even4 = 0.0005899466937915989;
    const fours rest = CM_FMA(f.part, splat_four(-2), f.whole), q = y * y;
    return (fraction){
        .part = CM_FMA(q, CM_FMA(q, even4 * f.part, CM_FMA(y, -odd3 * f.part, even2 * f.part)),
                       CM_FMA(y, -odd * f.part, f.part)),
        .whole = CM_FMA(q, CM_FMA(q, even4 * f.whole, CM_FMA(y, odd3 * rest, even2 * f.whole)),
                        CM_FMA(y, odd * rest, f.whole))};
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

CM_INLINE double limited(double slope, double limit) {
    slope = slope > limit ? limit : slope;
    return slope < -limit ? -limit : slope;
}

// A row's update from its sum, where `rate` has its factor in it.
CM_INLINE double update_of(const cm_linear_learner *learner, const int32_t loss, double rate,
                           double sum, float label) {
    if (loss == CM_LOSS_LOGISTIC) {
        // Of the right answer's log odds: as exact in the tails as in between.
        const double side = label == 1 ? 1 : -1;
        const double update = side * rate / (1 + exp_of(splat_four(side * sum))[0]);
        return learner->limit < 1 ? limited(update, rate * learner->limit) : update;
    }
    const double error = sum - (double)label;
    const double slope = loss == CM_LOSS_HUBER ? limited(error, learner->huber) : error;
    return -rate * limited(slope, learner->limit);
}

// Learns a row by the weights as they are; 0 where its sum is not finite.
CM_INLINE int learn_row(cm_linear_learner *learner, const int32_t loss, const preparation p,
                        const cm_row_source *source, float *sums, size_t row) {
    const float *x = p.in_place ? p.x + row * p.stride : prepared(p, row);
    float product = product_of_row(x, p.weights, p.width);
    if (p.in_place && product != product) {
        x = fill_in(p, row, 1);
        product = product_of_row(x, p.weights, p.width);
    }
    const double sum = learner->scale * (double)product + learner->bias;
    sums[row] = (float)sum;
    // Infinity minus itself is no number.
    if (sum - sum != 0) return 0;
    const double rate =
        source->factors ? learner->rate * (double)source->factors[row] : learner->rate;
    const double update = update_of(learner, loss, rate, sum, source->labels[row]);
    if (learner->l2 != 0) {
        const double shrink = 1 - learner->rate * learner->l2;
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
    return 1;
}

// Each weight owes a penalty after each row: nothing of the next row can be known before.
static size_t learn_with_penalty(cm_linear_learner *learner, const preparation p,
                                 const cm_row_source *source, float *sums) {
    for (size_t row = 0; row < p.rows; row++) {
        if (row % CM_GROUP == 0) prepare_group(p, row);
        if (!learn_row(learner, learner->loss, p, source, sums, row)) return row;
        learner->penalty += learner->rate * learner->l1;
        collect_penalty(learner, p.weights, p.width);
    }
    return p.rows;
}
