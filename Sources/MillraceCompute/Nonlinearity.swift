/// What a layer applies to each element of its output.
///
/// Raw values are those of the C kernels.
package enum Nonlinearity: Int32, Sendable {
    case identity = 0
    case relu = 1
    /// Slope 0.01 below zero.
    case leakyReLU = 2
    case tanh = 3
    case sigmoid = 4
    /// x times the normal distribution function.
    case gelu = 5
    /// No layer has it.
    case exponential = 6

    /// Whether the derivative follows from what the function is applied to, and not from its value.
    package var derivativeNeedsArgument: Bool { self == .gelu }
}
