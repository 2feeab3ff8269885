internal import Glibc

/// How the learning rate changes from step to step; a pure function of the step's number.
public enum RateSchedule: Sendable, Codable, Equatable {
    /// The same rate always, which suits streams that change.
    case constant
    /// Half a cosine from the full rate to zero at step `steps`, and zero after it.
    case cosine(steps: Int)
    /// One over the root of `1 + step / steps`.
    case inverseSquareRoot(steps: Int)

    /// What the rate of step `step`, counted from 0, is multiplied by.
    public func factor(step: Int) -> Double {
        switch self {
        case .constant: 1
        case .cosine(let steps):
            step < steps ? 0.5 * (1 + cos(Double.pi * Double(step) / Double(steps))) : 0
        case .inverseSquareRoot(let steps):
            1 / (1 + Double(step) / Double(steps)).squareRoot()
        }
    }

    var length: Int? {
        switch self {
        case .constant: nil
        case .cosine(let steps), .inverseSquareRoot(let steps): steps
        }
    }
}
