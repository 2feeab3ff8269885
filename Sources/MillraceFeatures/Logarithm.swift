/// The natural logarithm by plain arithmetic: a library's may differ in the last bit between hosts,
/// and features must not.
enum Logarithm {
    /// `ln(1 + x)` within 2^-50 of the true value, relatively.
    ///
    /// - Parameter x: a finite number above -1.
    /// - Source: `ln(m) = 2 artanh((m - 1) / (m + 1))`, the Taylor series of artanh to the 23rd power
    ///   on arguments of at most 0.172, where the next term is below 1e-20; powers of two by
    ///   Cody and Waite, with ln 2 in two parts.
    static func onePlus(_ x: Double) -> Double {
        // Near 0 the sum 1 + x would lose the last digits of x.
        if abs(x) < 0.25 { return 2 * artanh(x / (2 + x)) }
        let sum = 1 + x
        var exponent = sum.exponent
        var significand = sum.significand
        if significand > 1.414_213_562_373_095 {
            significand /= 2
            exponent += 1
        }
        let power = Double(exponent)
        let rest = 2 * artanh((significand - 1) / (significand + 1))
        return power * highLn2 + (power * lowLn2 + rest)
    }

    /// Ends in enough zeros for its product with an exponent to be exact.
    private static let highLn2 = 0x1.62e42feep-1
    private static let lowLn2 = 0x1.a39ef35793c76p-33

    private static func artanh(_ s: Double) -> Double {
        let square = s * s
        var sum = 1.0 / 23
        for power in stride(from: 21, through: 1, by: -2) {
            sum = sum * square + 1 / Double(power)
        }
        return sum * s
    }
}
