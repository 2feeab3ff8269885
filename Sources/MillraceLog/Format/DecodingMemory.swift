internal import MillraceSystem

/// Memory into which compressed batches are decoded, for the readers of one thread to take turns
/// with.
///
/// Whoever reads many partitions in turn so needs memory for one batch, not for one a partition.
/// **Thread-safety**: one thread.
package final class DecodingMemory {
    /// The payload as rows see it.
    var arena = AlignedBuffer()
    /// What LZ4 gives of a filtered payload, before the filter is undone.
    var scratch = AlignedBuffer()

    /// Memory that grows with the largest batch.
    package init() {}
}
