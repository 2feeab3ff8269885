internal import Glibc

/// How the learning rate changes from step to step: a pure function of the step's number.
public enum LearningRateSchedule: Sendable, Codable, Equatable {
    /// The same rate always, which suits streams that change.
    case constant
    /// Every `steps` steps the rate is multiplied by `factor`.
    case step(steps: Int, factor: Double)
    /// One over step number `t`, counted from 1, to the power of `power`.
    case inverseScaling(power: Double)
    /// Half a cosine from the full rate to zero at step `steps`, and zero after it.
    case cosine(steps: Int)
    /// One over the root of `1 + step / steps`.
    case inverseSquareRoot(steps: Int)

    /// What the rate of step `step`, counted from 0, is multiplied by.
    public func factor(step: Int) -> Double {
        switch self {
        case .constant: 1
        case .step(let steps, let factor): pow(factor, Double(step / steps))
        case .inverseScaling(let power): pow(Double(step + 1), -power)
        case .cosine(let steps):
            step < steps ? 0.5 * (1 + cos(Double.pi * Double(step) / Double(steps))) : 0
        case .inverseSquareRoot(let steps):
            1 / (1 + Double(step) / Double(steps)).squareRoot()
        }
    }

    func check() throws(ModelError) {
        let isPossible =
            switch self {
            case .constant: true
            case .step(let steps, let factor): steps > 0 && factor > 0 && factor <= 1
            case .inverseScaling(let power): power >= 0 && power <= 10
            case .cosine(let steps), .inverseSquareRoot(let steps): steps > 0
            }
        guard isPossible else {
            throw ModelError(.invalidOption, "the schedule \(self): not a possible one")
        }
    }
}
