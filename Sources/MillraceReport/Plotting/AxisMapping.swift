internal import Glibc

/// Where values of an axis stand in the picture, and which of them are named.
struct AxisMapping {
    let scale: Axis.Scale
    /// The values at the two ends.
    let range: ClosedRange<Double>
    let ticks: Ticks
    private let start: Double
    private let end: Double

    /// Maps the values of `axis` to positions from `start` to `end`.
    ///
    /// - Parameters:
    ///   - values: The extremes of what is plotted; nil where nothing is.
    ///   - rounded: Whether the ends move out to the next round value.
    init(
        _ axis: Axis, values: ClosedRange<Double>?, start: Double, end: Double, target: Int,
        rounded: Bool
    ) {
        scale = axis.scale
        self.start = start
        self.end = end
        let range = axis.range.flatMap { Self.usable($0, axis.scale) ? $0 : nil }
        if let range {
            self.range = range
        } else {
            self.range = Self.range(axis, values, target: target, rounded: rounded)
        }
        ticks =
            axis.scale == .log
            ? .logarithmic(self.range, target: target) : .linear(self.range, target: target)
    }

    /// The position of a value; nil for one that the axis cannot show.
    func position(_ value: Double) -> Double? {
        guard value.isFinite, scale == .linear || value > 0 else { return nil }
        let fraction =
            scale == .log
            ? (log(value) - log(range.lowerBound)) / (log(range.upperBound) - log(range.lowerBound))
            : (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        // Far outside the picture a value is moved nearer, where it is cut off all the same.
        return start + min(max(fraction, -10), 11) * (end - start)
    }

    func contains(_ value: Double) -> Bool { range.contains(value) }

    /// Values that are nearer to each other than this are the same to the eye and to `Double`.
    private static let leastSpan = 1e-290

    private static func usable(_ range: ClosedRange<Double>, _ scale: Axis.Scale) -> Bool {
        let span = range.upperBound - range.lowerBound
        return span > leastSpan && span.isFinite && (scale == .linear || range.lowerBound > 0)
    }

    private static func range(
        _ axis: Axis, _ values: ClosedRange<Double>?, target: Int, rounded: Bool
    ) -> ClosedRange<Double> {
        guard var range = values else { return axis.scale == .log ? 1...10 : 0...1 }
        if axis.scale == .log {
            if range.upperBound / range.lowerBound < 1.01, range.lowerBound / 2 > leastSpan {
                range = (range.lowerBound / 2)...(range.upperBound * 2)
            }
            return usable(range, .log) ? range : 1...10
        }
        if axis.includesZero { range = min(range.lowerBound, 0)...max(range.upperBound, 0) }
        let largest = max(range.lowerBound.magnitude, range.upperBound.magnitude)
        if range.upperBound - range.lowerBound <= max(largest * 1e-12, leastSpan) {
            let pad = max(range.upperBound.magnitude * 0.1, 1e-3)
            range = (range.lowerBound - pad)...(range.upperBound + pad)
        }
        guard usable(range, .linear) else { return 0...1 }
        return rounded ? round(range, target: target) : range
    }

    /// Moves the ends out to multiples of the step that the wider range then has.
    private static func round(
        _ range: ClosedRange<Double>, target: Int
    ) -> ClosedRange<Double> {
        var wider = range
        for _ in 0..<2 {
            let step = Ticks.step(wider, target: target)
            let low = (range.lowerBound / step).rounded(.down) * step
            let high = (range.upperBound / step).rounded(.up) * step
            guard low < high, usable(low...high, .linear) else { return range }
            wider = low...high
        }
        return wider
    }
}
