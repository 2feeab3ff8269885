/// Sine and cosine of parts of a turn, by plain arithmetic: a library's may differ in the last bit
/// between hosts, and features must not.
enum Turn {
    /// The sine and cosine of `2π · turns`, exact at multiples of a quarter turn and within
    /// 2^-50 of the true value elsewhere.
    ///
    /// - Parameter turns: a finite number.
    /// - Source: the Taylor series to the 17th and 16th power on [-π/4, π/4], where the next terms
    ///   are below 1e-19 and 3e-18.
    static func sineAndCosine(_ turns: Double) -> (sine: Double, cosine: Double) {
        let fraction = turns - turns.rounded(.down)
        let quarter = (fraction * 4).rounded()
        let angle = (fraction - quarter / 4) * (2 * Double.pi)
        let (sine, cosine) = series(angle)
        switch Int(quarter) & 3 {
        case 0: return (sine, cosine)
        case 1: return (cosine, -sine)
        case 2: return (-sine, -cosine)
        default: return (-cosine, sine)
        }
    }

    private static func series(_ x: Double) -> (sine: Double, cosine: Double) {
        let square = x * x
        var sine = 1.0
        var cosine = 1.0
        for step in stride(from: 16.0, through: 2, by: -2) {
            sine = 1 - sine * square / (step * (step + 1))
            cosine = 1 - cosine * square / (step * (step - 1))
        }
        return (sine * x, cosine)
    }
}
