public import MillraceCompute

/// A model packed for one kernel set, ready to score.
///
/// **Thread-safety**: constant; any number of threads, each with a workspace of its own.
public final class PreparedModel: Sendable {
    /// The kernels that score; what is recorded with the predictions is `kernelName`.
    public let kernels: KernelSet
    /// The arithmetic of the layers.
    public let precision: Precision
    /// How many numbers a row has; see `Model.inputWidth`.
    public let inputWidth: Int
    /// How many numbers a prediction has; see `Model.outputWidth`.
    public let outputWidth: Int
    let network: PackedNetwork

    /// Packs the weights of `model`.
    ///
    /// - Complexity: O(weights).
    /// - Precondition: the processor can run `kernels`; see `KernelSet.choose`.
    public convenience init(_ model: Model, kernels: KernelSet = .best) {
        self.init(model, kernels: kernels, reduced: nil)
    }

    /// Packs the weights of `model`, for layers in another precision where `reduced` names what
    /// computes them.
    ///
    /// - Precondition: for int8, `ranges` are such as `model.takes` says.
    package convenience init(
        _ model: Model, kernels: KernelSet = .best, reduced: ReducedKernels?,
        ranges: [LayerRange] = []
    ) {
        self.init(
            PackedNetwork(
                conditioning: model.input.conditioning, layers: model.packed, head: model.head.last,
                kernels: kernels, reduced: reduced, ranges: ranges))
    }

    /// Of each row, what a layer of `model` takes, in float32 by the portable kernels.
    package convenience init(inputsOf layer: Int, of model: Model) {
        let width = model.input.width
        var layers = model.packed.prefix(layer).map { $0 }
        if layer == 0 {
            // Its own inputs, each by itself.
            var weights = [Float](repeating: 0, count: width * width)
            for i in 0..<width { weights[i * width + i] = 1 }
            layers = [
                PackedNetwork.Layer(
                    inputs: width, outputs: width, weights: weights,
                    bias: [Float](repeating: 0, count: width), function: .identity)
            ]
        }
        self.init(
            PackedNetwork(
                conditioning: model.input.conditioning, layers: layers, head: .none,
                kernels: .portable))
    }

    private init(_ network: consuming PackedNetwork) {
        kernels = network.kernels
        precision = network.reduced?.precision ?? .float32
        inputWidth = network.rowWidth
        outputWidth = network.outputs
        self.network = network
    }

    /// What scores, to be recorded with the predictions: the kernel set, or `amx-bfloat16`,
    /// `avx512-bfloat16` or `avx512-int8`.
    ///
    /// Predictions under one name have the same bits.
    public var kernelName: String { network.reduced?.name ?? kernels.rawValue }

    /// Scores rows of raw features; the outputs are those after the head.
    ///
    /// A row's output has the same bits whatever the number of rows is and wherever the row stands.
    /// Own kernels allocate nothing, lock nothing and make no system call. The floating-point mode
    /// that the caller has does not matter, and is the same afterwards: rounding is to nearest, and
    /// denormal numbers count as zero, except with the `portable` kernels.
    /// **Shape**: rows of `inputWidth` numbers, NaN where missing; `output` becomes
    /// `[rows, outputWidth]`, row-major without gaps. It must not overlap the features.
    ///
    /// - Complexity: O(rows · weights).
    /// - Precondition: elements are aligned to their size, and `output` has room.
    @discardableResult
    public func predict(
        _ features: borrowing FeatureMatrix, into output: inout MutableSpan<Float>,
        workspace: inout ScoringWorkspace
    ) -> PredictionCounts {
        network.forward(features, into: &output, scratch: &workspace.scratch)
    }

    /// Scores rows of float32 features, `stride` floats apart.
    @discardableResult
    public func predict(
        _ features: Span<Float>, rows: Int, stride: Int, into output: inout MutableSpan<Float>,
        workspace: inout ScoringWorkspace
    ) -> PredictionCounts {
        predict(
            FeatureMatrix(features, rows: rows, stride: stride), into: &output,
            workspace: &workspace)
    }

    /// Scores a few rows `[rows, inputWidth]`, for the edges of a program: allocates.
    public func predict(_ features: [Float]) -> [Float] {
        precondition(features.count % inputWidth == 0, "whole rows are scored")
        let rows = features.count / inputWidth
        var workspace = ScoringWorkspace(for: self)
        var output = [Float](repeating: 0, count: rows * outputWidth)
        var target = output.mutableSpan
        predict(
            features.span, rows: rows, stride: inputWidth, into: &target, workspace: &workspace)
        return output
    }
}

/// Memory for one thread that scores; it fits every model that needs no more than the one it was
/// made for.
public struct ScoringWorkspace: ~Copyable, Sendable {
    var scratch: FloatBuffer

    /// Room for the activations of a tile of rows.
    public init(for model: PreparedModel) {
        scratch = FloatBuffer(count: model.network.scratchCount)
    }

    /// Whether it is large enough for `model`.
    public func fits(_ model: PreparedModel) -> Bool { scratch.count >= model.network.scratchCount }
}
