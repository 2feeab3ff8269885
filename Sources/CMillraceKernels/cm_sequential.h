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

CM_INLINE double slope_of_loss(const cm_linear_learner *learner, double sum, float label) {
    if (learner->loss == CM_LOSS_LOGISTIC) {
        // The probability of the wrong answer keeps its precision however small it gets.
        double margin = label == 1 ? sum : -sum;
        double tail = __builtin_exp(-__builtin_fabs(sum));
        double wrong = (margin >= 0 ? tail : 1) / (1 + tail);
        return label == 1 ? -wrong : wrong;
    }
    double error = sum - (double)label;
    if (learner->loss == CM_LOSS_SQUARED) return error;
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

static size_t learn_rows(cm_linear_learner *learner, const float *x, size_t x_stride, size_t rows,
                         const float *labels, const float *factors, float *sums) {
    const double shrink = 1 - learner->rate * learner->l2;
    for (size_t row = 0; row < rows; row++, x += x_stride) {
        double product = product_of_row(x, learner->weights, learner->width);
        double sum = learner->scale * product + learner->bias;
        sums[row] = (float)sum;
        // Infinity minus itself is no number.
        if (sum - sum != 0) return row;
        double slope = slope_of_loss(learner, sum, labels[row]);
        slope = slope > learner->limit ? learner->limit : slope;
        slope = slope < -learner->limit ? -learner->limit : slope;
        double update = -learner->rate * slope * (factors ? (double)factors[row] : 1);
        if (learner->l2 != 0) {
            learner->scale *= shrink > 0 ? shrink : 0;
            if (learner->scale < 1e-9) fold_scale(learner);
        }
        if (update != 0) {
            add_row(learner->weights, x, (float)(update / learner->scale), learner->width);
            learner->bias += update;
        }
        if (learner->l1 != 0) {
            learner->penalty += learner->rate * learner->l1;
            collect_penalty(learner);
        }
    }
    return rows;
}
