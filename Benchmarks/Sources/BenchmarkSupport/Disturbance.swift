/// What tells a sample that other programs have disturbed.
public enum Disturbance {
    /// A run of one core's multipliers beside a sample, a probe, may be so many times slower than the
    /// fastest of the run.
    public static let limit = 1.03
}
