internal import CMillraceKernels

/// What matrix registers are used for layers in bfloat16.
///
/// Both give the same bits: those that `cm_tile_set` defines.
package enum TileKernels: String, Sendable, CaseIterable {
    /// The processor's own (AMX).
    case amx
    /// A model of them in plain C, far slower than float32: for calibration and tests.
    case software

    /// The processor's own registers, where it has them and this process may use them.
    package static let processor: TileKernels? = TileSupport.current.isComplete ? .amx : nil

    /// What is recorded with predictions that they make.
    package var name: String { "\(rawValue)-\(Precision.bfloat16.rawValue)" }

    var predict: NetworkFunction {
        let found =
            switch self {
            case .amx: unsafe cm_tiles_amx()
            case .software: unsafe cm_tiles_software()
            }
        guard let found = unsafe found else {
            preconditionFailure("this processor has no matrix registers that can be used")
        }
        return unsafe found.pointee.predict
    }
}

/// How the kernels of any set take rows through a network.
typealias NetworkFunction =
    @convention(c) (
        UnsafePointer<cm_network>?, UnsafePointer<cm_matrix>?, UnsafeMutablePointer<Float>?,
        UnsafeMutablePointer<Float>?, UnsafeMutablePointer<cm_counts>?
    ) -> Void

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
