// One step of each optimiser, element by element: the same bits with every set, since nothing is
// fused and nothing is summed. See cm_body.h.

// What a step starts from: the scaled and cut gradient with the slope of the penalties.
CM_INLINE vf penalised(const cm_optimizer_step *step, vf gradient, vf w) {
    vf g = gradient * step->scale;
    g = choose(g > step->limit, splat(step->limit), g);
    g = choose(g < -step->limit, splat(-step->limit), g);
    if (step->l2 != 0) g = g + step->l2 * w;
    if (step->l1 != 0) {
        vf side = with_sign_of(splat(step->l1), w);
        g = g + choose(w == 0.0f, splat(0.0f), side);
    }
    return g;
}

// Source: McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013, algorithm 1.
CM_INLINE vf ftrl(const cm_optimizer_step *step, vf gradient, vf w, vf *z, vf *n) {
    vf g = gradient * step->scale;
    g = choose(g > step->limit, splat(step->limit), g);
    g = choose(g < -step->limit, splat(-step->limit), g);
    vf sum = *n + g * g;
    vf root = __builtin_elementwise_sqrt(sum);
    vf sigma = (root - __builtin_elementwise_sqrt(*n)) * step->per_alpha;
    *z = *z + g - sigma * w;
    *n = sum;
    vf size = magnitude(*z);
    vf strength = (step->beta + root) * step->per_alpha + step->l2;
    vf moved = with_sign_of(size - step->l1, *z) / strength;
    return choose(size <= step->l1, splat(0.0f), -moved);
}

// Up to a vector of parameters, from the i-th on. The step is a copy that no store can change.
CM_INLINE void optimize_some(const int32_t kind, const cm_optimizer_step step, float *parameters,
                             const float *gradient, float *first, float *second, size_t i,
                             const size_t n) {
    vf w = load_first(parameters + i, n);
    vf raw = load_first(gradient + i, n);
    if (kind == CM_FTRL) {
        vf z = load_first(first + i, n), squares = load_first(second + i, n);
        w = ftrl(&step, raw, w, &z, &squares);
        store_first(first + i, z, n);
        store_first(second + i, squares, n);
        return store_first(parameters + i, w, n);
    }
    vf g = penalised(&step, raw, w);
    w = w * step.decay;
    if (kind == CM_SGD) w = w - step.rate * g;
    if (kind == CM_MOMENTUM || kind == CM_NESTEROV) {
        vf v = step.beta1 * load_first(first + i, n) + g;
        store_first(first + i, v, n);
        w = w - step.rate * (kind == CM_NESTEROV ? g + step.beta1 * v : v);
    }
    if (kind == CM_ADAGRAD) {
        vf v = load_first(second + i, n) + g * g;
        store_first(second + i, v, n);
        w = w - step.rate * g / (__builtin_elementwise_sqrt(v) + step.epsilon);
    }
    if (kind == CM_ADAM) {
        vf m = step.beta1 * load_first(first + i, n) + step.rest1 * g;
        vf v = step.beta2 * load_first(second + i, n) + step.rest2 * (g * g);
        vf spread = __builtin_elementwise_sqrt(v * step.correction2) + step.epsilon;
        store_first(first + i, m, n);
        store_first(second + i, v, n);
        w = w - step.rate * (m * step.correction1) / spread;
    }
    store_first(parameters + i, w, n);
}

CM_INLINE void optimize_kind(const int32_t kind, const cm_optimizer_step step, float *parameters,
                             const float *gradient, float *first, float *second, size_t count) {
    size_t i = 0;
    for (; i + CM_LANES <= count; i += CM_LANES) {
        optimize_some(kind, step, parameters, gradient, first, second, i, CM_LANES);
    }
    if (i == count) return;
    optimize_some(kind, step, parameters, gradient, first, second, i, count - i);
}

static void optimize(const cm_optimizer_step *step, float *parameters, const float *gradient,
                     float *first, float *second, size_t count) {
#define CM_CASE(KIND)                                                                              \
    case KIND: optimize_kind(KIND, *step, parameters, gradient, first, second, count); break;
    switch (step->kind) {
        CM_CASE(CM_SGD)
        CM_CASE(CM_MOMENTUM)
        CM_CASE(CM_NESTEROV)
        CM_CASE(CM_ADAGRAD)
        CM_CASE(CM_ADAM)
        CM_CASE(CM_FTRL)
    }
#undef CM_CASE
}
