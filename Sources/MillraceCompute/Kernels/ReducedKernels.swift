internal import CMillraceKernels
internal import Glibc

/// What layers in a reduced precision are computed with.
///
/// A definition of the arithmetic, and who carries it out: the processor or a model of it in plain C,
/// far slower than float32, for calibration and tests. Both give the same bits.
package enum ReducedKernels: String, Sendable, CaseIterable {
    /// bfloat16 by the processor's matrix registers, as `cm_tile_set` defines it.
    case amx
    /// bfloat16 by a model of matrix registers.
    case amxModel
    /// bfloat16 by pairs in the processor's vectors, as `cm_narrow_set` defines it.
    case pairs
    /// bfloat16 by a model of pairs.
    case pairsModel
    /// Bytes in the processor's vectors, as `cm_narrow_set` defines them.
    case bytes
    /// Bytes by a model.
    case bytesModel

    /// The precision of the layers.
    package var precision: Precision {
        switch self {
        case .amx, .amxModel, .pairs, .pairsModel: .bfloat16
        case .bytes, .bytesModel: .int8
        }
    }

    /// What is recorded with predictions that they make.
    package var name: String {
        let by =
            switch self {
            case .amx: "amx"
            case .pairs, .bytes: "avx512"
            case .amxModel: "software"
            case .pairsModel: "software-pairs"
            case .bytesModel: "software"
            }
        return "\(by)-\(precision.rawValue)"
    }

    /// The processor's own for a precision, the fastest where there are some.
    ///
    /// Nil where it has none, or where the environment variable `MILLRACE_REDUCED` names others. The
    /// environment is looked at once.
    package static func processor(_ precision: Precision) -> ReducedKernels? {
        switch precision {
        case .float32: nil
        case .bfloat16: bfloat16
        case .int8: int8
        }
    }

    private static let bfloat16: ReducedKernels? = [.amx, .pairs].first(where: \.canRun)
    private static let int8: ReducedKernels? = [.bytes].first(where: \.canRun)

    /// Models of all definitions of a precision: a version is calibrated for each of them.
    package static func models(_ precision: Precision) -> [ReducedKernels] {
        switch precision {
        case .float32: []
        case .bfloat16: [.amxModel, .pairsModel]
        case .int8: [.bytesModel]
        }
    }

    private var canRun: Bool { isAvailable && ReducedChoice.current.allows(self) }

    /// Whether this processor and operating system can run them.
    package var isAvailable: Bool {
        switch self {
        case .amx: TileSupport.current.isComplete
        case .pairs: unsafe cm_pairs_avx512() != nil
        case .bytes: unsafe cm_bytes_avx512() != nil
        case .amxModel, .pairsModel, .bytesModel: true
        }
    }

    var predict: NetworkFunction {
        let found: NetworkFunction? =
            switch self {
            case .amx: unsafe cm_tiles_amx()?.pointee.predict
            case .amxModel: unsafe cm_tiles_software()?.pointee.predict
            case .pairs: unsafe cm_pairs_avx512()?.pointee.predict
            case .pairsModel: unsafe cm_pairs_software()?.pointee.predict
            case .bytes: unsafe cm_bytes_avx512()?.pointee.predict
            case .bytesModel: unsafe cm_bytes_software()?.pointee.predict
            }
        guard let found = unsafe found else {
            preconditionFailure("this processor cannot run \(name)")
        }
        return unsafe found
    }

    /// How weights stand for them.
    var form: Packing.Form {
        switch self {
        case .amx, .amxModel: .tiles
        case .pairs, .pairsModel: .pairs
        case .bytes, .bytesModel: .bytes
        }
    }
}

/// How the kernels of any set take rows through a network.
typealias NetworkFunction =
    @convention(c) (
        UnsafePointer<cm_network>?, UnsafePointer<cm_matrix>?, UnsafeMutablePointer<Float>?,
        UnsafeMutablePointer<Float>?, UnsafeMutablePointer<cm_counts>?
    ) -> Void

/// Which of the processor's instructions for reduced precision may be used.
enum ReducedChoice: Equatable {
    /// All.
    case all
    /// Those of one kind, or none: what `MILLRACE_REDUCED` names.
    case only(String)

    static let current: ReducedChoice = {
        guard let value = unsafe getenv("MILLRACE_REDUCED") else { return .all }
        let chosen = unsafe String(cString: value)
        return chosen.isEmpty || chosen == "auto" ? .all : .only(chosen)
    }()

    func allows(_ kernels: ReducedKernels) -> Bool {
        switch self {
        case .all: true
        case .only(let chosen): kernels.name.hasPrefix(chosen + "-")
        }
    }

    /// What it says of an absence, as the end of a sentence.
    var reason: String? {
        switch self {
        case .all: nil
        case .only("none"): "MILLRACE_REDUCED is 'none'"
        case .only(let chosen):
            "MILLRACE_REDUCED is '\(chosen)', of which there is nothing here: choose amx, avx512, "
                + "none or auto"
        }
    }
}

extension Precision {
    /// Why the processor cannot do it; nil where it can.
    var missing: String? {
        guard self != .float32, ReducedKernels.processor(self) == nil else { return nil }
        if let reason = ReducedChoice.current.reason { return reason }
        switch self {
        case .float32: return nil
        case .bfloat16:
            let tiles = TileSupport.current.missing ?? "AMX cannot be used"
            return tiles + ", and no AVX-512 with bfloat16 either"
        case .int8: return "the processor, or the operating system, has no AVX-512 with VNNI"
        }
    }
}

/// What this machine has of AMX; asked once, since asking is also how permission is got.
struct TileSupport {
    private let flags: UInt32

    init(flags: UInt32) { self.flags = flags }

    static let current = TileSupport(flags: cm_amx_support())

    private func has(_ flag: Int) -> Bool { flags & UInt32(flag) != 0 }

    /// Whether layers in bfloat16 can be computed.
    var isComplete: Bool { missing == nil }

    /// What stands in the way of bfloat16; nil where nothing does.
    var missing: String? {
        guard has(Int(CM_AMX_TILE)) else { return "the processor has no AMX" }
        guard has(Int(CM_AMX_BFLOAT16)) else { return "the processor's AMX has no bfloat16" }
        guard has(Int(CM_AMX_VECTORS)) else {
            return "the processor, or the operating system, has no AVX-512 with bfloat16"
        }
        guard has(Int(CM_AMX_SAVED)) else { return "the operating system does not save AMX tiles" }
        guard has(Int(CM_AMX_GRANTED)) else {
            return "the operating system does not let this process use AMX"
        }
        return nil
    }
}
