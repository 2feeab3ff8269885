internal import MillraceCompute
internal import MillracePipeline

/// The precision that an option names.
enum PrecisionArgument {
    static let help = """
        The arithmetic of the model's layers: float32 or bfloat16. bfloat16 is for versions that \
        were calibrated for it (model quantize), on processors with AMX: on others they are scored \
        in float32, and it is said so.
        """

    static func parse(_ text: String) throws(PipelineError) -> Precision {
        do throws(ComputeError) { return try Precision(parsing: text) } catch {
            throw PipelineError(.usage, error.description)
        }
    }
}
