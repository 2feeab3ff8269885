/// The arithmetic of a model's layers.
public enum Precision: String, Sendable, Codable, CaseIterable {
    /// IEEE 754 binary32 throughout: what every version can be scored in.
    case float32
    /// What a layer takes and its weights rounded to bfloat16, sums in float32, by the processor's
    /// matrix registers (AMX) or by AVX-512 with bfloat16: only for versions that were calibrated for
    /// it.
    ///
    /// Bias, activation, input stage and head are float32. Denormal numbers count as zero.
    case bfloat16
    /// What a layer takes rounded to a byte of its calibrated range, weights to a signed byte, exact
    /// sums, by AVX-512 with VNNI: only for versions that were calibrated for it.
    ///
    /// Bias, activation, input stage and head are float32. Rows with a feature that is infinite or
    /// NaN have outputs that are NaN.
    case int8

    /// Whether this machine can score in it.
    public var isAvailable: Bool { unavailability == nil }

    /// Why this machine cannot score in it, as the end of a sentence; nil where it can.
    ///
    /// A version that is to be scored in such a precision is scored in float32, and it is said so.
    public var unavailability: String? { missing }

    /// What is recorded with predictions that are made in it here, where `kernels` are those of
    /// float32.
    package func kernelName(_ kernels: KernelSet) -> String {
        ReducedKernels.processor(self)?.name ?? kernels.rawValue
    }

    /// Reads a name as users write it: also `bf16`, and `fp32`.
    ///
    /// - Throws: `ComputeError` with `unknownPrecision`.
    public init(parsing text: String) throws(ComputeError) {
        let names: [String: Precision] = ["bf16": .bfloat16, "fp32": .float32]
        guard let found = Precision(rawValue: text) ?? names[text] else {
            throw ComputeError(
                code: .unknownPrecision, requested: text, fromEnvironment: false)
        }
        self = found
    }
}
