internal import MillraceLog

/// What a slot needs for one batch at a time, whatever the number of its partitions.
///
/// **Thread-safety**: one thread, the slot's.
final class SlotMemory {
    /// Where compressed batches are decoded.
    let decoding = DecodingMemory()
    /// Where batches of predictions are built.
    var builder = BatchBuilder()
}
