// Vectors of doubles, half as many as a vector has floats, and functions of them. Written once for
// every set; see cm_body.h.

#define CM_HALF (CM_LANES / 2)

typedef double vd __attribute__((vector_size(CM_LANES * 4)));
typedef int64_t vl __attribute__((vector_size(CM_LANES * 4)));
typedef uint64_t vul __attribute__((vector_size(CM_LANES * 4)));
typedef float vh __attribute__((vector_size(CM_LANES * 2)));
typedef int32_t half_mask __attribute__((vector_size(CM_LANES * 2)));

CM_INLINE vd splat_double(double x) { return x - (vd){0}; }

// The first `count` floats, at most half a vector, and zeros.
CM_INLINE vd load_doubles(const float *p, size_t count) {
    vh x = {0};
    if (count == CM_HALF) {
        memcpy(&x, p, sizeof x);
    } else {
        for (size_t i = 0; i < count; i++) x[i] = p[i];
    }
    return __builtin_convertvector(x, vd);
}

CM_INLINE void store_floats(float *p, vd x, size_t count) {
    vh y = __builtin_convertvector(x, vh);
    if (count == CM_HALF) {
        memcpy(p, &y, sizeof y);
    } else {
        for (size_t i = 0; i < count; i++) p[i] = y[i];
    }
}

CM_INLINE vd choose_double(vl mask, vd a, vd b) {
    return (vd)((mask & (vl)a) | (~mask & (vl)b));
}

// Adding 1.5 * 2^52 rounds to an integer, which is then in the low bits.
#define CM_ROUND 6755399441055744.0

// The polynomial of exp(r) for |r| <= ln(2) / 2: Taylor's, to the eleventh power.
// `C` makes a constant of r's type, q is r * r.
#define CM_EXP_POLYNOMIAL(r, q, C)                                                                 \
    CM_FMA(q,                                                                                      \
           CM_FMA(q *q,                                                                            \
                  CM_FMA(q *q, CM_FMA(r, C(2.505210838544172e-08), C(2.755731922398589e-07)),      \
                         CM_FMA(q, CM_FMA(r, C(2.7557319223985893e-06), C(2.48015873015873e-05)),  \
                                CM_FMA(r, C(1.984126984126984e-04), C(1.3888888888888889e-03)))),  \
                  CM_FMA(q, CM_FMA(r, C(8.333333333333333e-03), C(4.1666666666666664e-02)),        \
                         CM_FMA(r, C(0.16666666666666666), C(0.5)))),                              \
           1.0 + r)

// exp(x) for x <= 0, within 2e-15 of it relatively; at least exp(-708).
CM_INLINE vd exp_of_negative(vd x) {
    x = choose_double(x < -708.0, splat_double(-708.0), x);
    vd shifted = CM_FMA(x, splat_double(1.4426950408889634), splat_double(CM_ROUND));
    vd n = shifted - CM_ROUND;
    vd r = CM_FMA(n, splat_double(-6.93147180369123816490e-01), x);
    r = CM_FMA(n, splat_double(-1.90821492927058770002e-10), r);
    vd q = r * r;
    vd p = CM_EXP_POLYNOMIAL(r, q, splat_double);
    return p * (vd)(((vul)shifted + 1023) << 52);
}

// log(x) for a normal, positive x, within 2 ulp; infinity and what is no number stay.
// Source: Sun Microsystems, fdlibm, e_log.c.
CM_INLINE vd log_of_normal(vd x) {
    // Mantissas from sqrt(1/2) to sqrt(2).
    vul bits = (vul)x - 0x3FE6A09E667F3BCDu + ((uint64_t)1023 << 52);
    vul exponent = bits >> 52;
    vd e = (vd)(exponent + 0x4338000000000000u) - CM_ROUND - 1023.0;
    vd f = (vd)((vul)x - ((exponent - 1023) << 52)) - 1.0;
    vd s = f / (2.0 + f), z = s * s;
    vd p = splat_double(1.479819860511658591e-01);
    p = CM_FMA(p, z, splat_double(1.531383769920937332e-01));
    p = CM_FMA(p, z, splat_double(1.818357216161805012e-01));
    p = CM_FMA(p, z, splat_double(2.222219843214978396e-01));
    p = CM_FMA(p, z, splat_double(2.857142874366239149e-01));
    p = CM_FMA(p, z, splat_double(3.999999999940941908e-01));
    p = CM_FMA(p, z, splat_double(6.666666666666735130e-01));
    vd half_square = 0.5 * f * f;
    vd low = CM_FMA(e, splat_double(1.90821492927058770002e-10), s * (half_square + p * z));
    vd log = CM_FMA(e, splat_double(6.93147180369123816490e-01), f - (half_square - low));
    return choose_double(x - x == 0.0, log, x);
}
