import MillraceLog
import MillraceLogWorker
import MillraceTestSupport
import Testing

/// Reading a batch allocates nothing, takes no lock and touches no reference count.
///
/// Code that was not optimised does some of this by itself: `swift test` shows the locks alone,
/// and the program `MillraceLogWorker proofs`, built for release, shows everything.
@Suite struct ReadPathTests {
    @Test(arguments: ReadProof.Shape.allCases)
    func nothingButReading(_ shape: ReadProof.Shape) throws {
        let directory = try TemporaryDirectory("millrace-proof")
        let topic = try ReadProof.makeTopic(shape, in: directory.path)
        let proof = try ReadProof(reading: topic)
        #expect(proof.batches == ReadProof.batchesCounted)
        #expect(proof.rows == proof.batches * ReadProof.rowsPerBatch)
        #expect(proof.sum > 0)
        #expect(proof.counts.locks == 0)
        #if DEBUG
            // Whatever unoptimised code needs for itself, it gives back.
            #expect(proof.counts.allocations == proof.counts.frees)
        #else
            #expect(proof.counts == .zero)
        #endif
    }
}
