internal import MillraceCompute
internal import MillracePipeline

/// The precision that an option names.
enum PrecisionArgument {
    static let help = """
        The arithmetic of the model's layers: float32, bfloat16 or int8. The last two are for versions \
        that were calibrated for them (model quantize), on processors with AMX or AVX-512's bfloat16, \
        and with AVX-512's VNNI: on others they are scored in float32, and it is said so.
        """

    static func parse(_ text: String) throws(PipelineError) -> Precision {
        do throws(ComputeError) { return try Precision(parsing: text) } catch {
            throw PipelineError(.usage, error.description)
        }
    }
}
