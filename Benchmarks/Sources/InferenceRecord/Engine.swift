internal import CInferencePeers
internal import MillraceModels

/// One call of `rows` rows, however an engine does it.
protocol Engine: AnyObject {
    /// Makes the same call `calls` times.
    func run(_ calls: Int) throws

    /// What the last call gave.
    var output: [Float] { get }
}

/// An engine that did not do what it was asked.
struct EngineFailure: Error, CustomStringConvertible {
    let description: String
}

/// Floats at the start of a cache line, as the log has the rows of a batch; never freed, since
/// engines keep their address as long as the program runs.
@safe struct AlignedFloats {
    let floats: UnsafeMutableBufferPointer<Float>

    init(_ values: [Float]) {
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: max(1, values.count) * MemoryLayout<Float>.stride, alignment: 64)
        unsafe floats = UnsafeMutableBufferPointer(
            start: memory.initializeMemory(as: Float.self, repeating: 0, count: values.count),
            count: values.count)
        _ = unsafe floats.update(fromContentsOf: values)
    }
}

/// Millrace's own kernels.
final class OwnEngine: Engine {
    private let model: PreparedModel
    private var workspace: ScoringWorkspace
    private let features: AlignedFloats
    private let rows: Int
    private(set) var output: [Float]

    init(_ model: PreparedModel, features: [Float], rows: Int) {
        self.model = model
        self.features = AlignedFloats(features)
        self.rows = rows
        workspace = ScoringWorkspace(for: model)
        output = [Float](repeating: 0, count: rows * model.outputWidth)
    }

    func run(_ calls: Int) {
        Self.run(calls, model, features, rows, &output, &workspace)
    }

    private static func run(
        _ calls: Int, _ model: PreparedModel, _ features: AlignedFloats, _ rows: Int,
        _ output: inout [Float], _ workspace: inout ScoringWorkspace
    ) {
        var target = output.mutableSpan
        for _ in 0..<calls {
            model.predict(
                unsafe Span(_unsafeElements: features.floats), rows: rows, stride: model.inputWidth,
                into: &target,
                workspace: &workspace)
        }
    }

    /// Time stamps of single calls, and of as many runs of a bare chain that is as long, in turns of
    /// a thousand.
    func latencies(_ calls: Int, chain links: Int) -> (own: [UInt32], bare: [UInt32]) {
        var own: [UInt32] = []
        var bare: [UInt32] = []
        own.reserveCapacity(calls)
        bare.reserveCapacity(calls)
        for _ in 0..<max(1, calls / 1000) {
            Self.time(model, features, rows, &output, &workspace, into: &own)
            for _ in 0..<1000 {
                let begin = ip_ticks()
                _ = ip_spin(links)
                bare.append(UInt32(clamping: ip_ticks() &- begin))
            }
        }
        return (own, bare)
    }

    private static func time(
        _ model: PreparedModel, _ features: AlignedFloats, _ rows: Int, _ output: inout [Float],
        _ workspace: inout ScoringWorkspace, into times: inout [UInt32]
    ) {
        var target = output.mutableSpan
        for _ in 0..<1000 {
            let begin = ip_ticks()
            model.predict(
                unsafe Span(_unsafeElements: features.floats), rows: rows, stride: model.inputWidth,
                into: &target,
                workspace: &workspace)
            times.append(UInt32(clamping: ip_ticks() &- begin))
        }
    }
}

/// An engine behind a C interface.
@safe final class PeerEngine: Engine {
    private let peer: OpaquePointer
    private let result: UnsafeMutableBufferPointer<Float>

    /// `open` gets the addresses of the input, which stay valid, and of the output.
    init(
        features: [Float], outputs: Int,
        _ open: (UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?) -> OpaquePointer?
    ) throws {
        let input = AlignedFloats(features)
        unsafe result = AlignedFloats([Float](repeating: 0, count: outputs)).floats
        guard let peer = unsafe open(input.floats.baseAddress, result.baseAddress) else {
            throw EngineFailure(description: "an engine cannot be opened")
        }
        unsafe self.peer = peer
    }

    var output: [Float] { unsafe Array(result) }

    func run(_ calls: Int) throws {
        guard unsafe ip_run(peer, calls) == 1 else {
            throw EngineFailure(description: "an engine failed while it ran")
        }
    }
}
