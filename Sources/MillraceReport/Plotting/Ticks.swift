internal import Glibc

/// The values that an axis names: few, round, and evenly spread.
struct Ticks: Equatable {
    /// The values, rising.
    var values: [Double]
    /// What is written beside them.
    var labels: [String]

    /// Multiples of 1, 2 or 5 times a power of ten inside `range`, about `target` of them.
    static func linear(_ range: ClosedRange<Double>, target: Int) -> Ticks {
        let step = Self.step(range, target: target)
        // Ends that are meant to be ticks may miss them by a rounding.
        let first = (range.lowerBound / step - 1e-9).rounded(.up)
        let last = (range.upperBound / step + 1e-9).rounded(.down)
        guard last >= first, last - first < 1000 else {
            return Ticks(values: [range.lowerBound], labels: [label(range.lowerBound, step)])
        }
        let values = (0...Int(last - first)).map { (first + Double($0)) * step }
        return Ticks(values: values, labels: labels(values, step: step))
    }

    /// Powers of ten inside `range`; between them 2 and 5 where the range has fewer than two.
    static func logarithmic(_ range: ClosedRange<Double>, target: Int) -> Ticks {
        let low = Int(log10(range.lowerBound).rounded(.down))
        let high = Int(log10(range.upperBound).rounded(.up))
        let decades = log10(range.upperBound) - log10(range.lowerBound)
        let factors: [Double] = decades < 2 ? [1, 2, 5] : [1]
        let stride = max(1, Int((decades / Double(target)).rounded(.up)))
        var values: [Double] = []
        for exponent in low...high where exponent.isMultiple(of: stride) {
            for factor in factors {
                let value = factor * pow(10, Double(exponent))
                // Ends that were computed as powers may miss the tick by a rounding.
                let tolerance = value * 1e-9
                if value >= range.lowerBound - tolerance && value <= range.upperBound + tolerance {
                    values.append(value)
                }
            }
        }
        return Ticks(values: values, labels: values.map { label($0, $0) })
    }

    /// The step of 1, 2 or 5 times a power of ten that gives about `target` ticks.
    static func step(_ range: ClosedRange<Double>, target: Int) -> Double {
        let span = range.upperBound - range.lowerBound
        guard span > 0, span.isFinite else { return 1 }
        let raw = span / Double(target)
        let power = pow(10, log10(raw).rounded(.down))
        switch raw / power {
        case ..<1.5: return power
        case ..<3.5: return 2 * power
        case ..<7.5: return 5 * power
        default: return 10 * power
        }
    }

    /// One unit for all labels of an axis, so that they can be compared at sight.
    private static func labels(_ values: [Double], step: Double) -> [String] {
        let largest = values.map(\.magnitude).max() ?? 0
        switch largest {
        case 1e15...: return values.map { "\($0)" }
        case 1e9...: return values.map { $0 == 0 ? "0" : label($0 / 1e9, step / 1e9) + " G" }
        case 1e6...: return values.map { $0 == 0 ? "0" : label($0 / 1e6, step / 1e6) + " M" }
        default: return values.map { label($0, step) }
        }
    }

    /// A value with as many digits after the point as its step has.
    private static func label(_ value: Double, _ step: Double) -> String {
        guard value.magnitude < 1e6 || value == 0 else { return NumberText.compact(value) }
        let decimals = max(0, Int(-log10(step.magnitude).rounded(.down)))
        guard decimals <= 9 else { return "\(value)" }
        return NumberText.fixed(value == 0 ? 0 : value, decimals)
    }
}
