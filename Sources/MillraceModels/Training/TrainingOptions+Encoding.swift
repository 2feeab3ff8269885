internal import MillraceSystem

/// Options as numbers; equal options and no others have the same.
extension TrainingOptions {
    /// A checksum of all options: those of trainers that learn one model together are the same.
    package var checksum: UInt32 {
        var writer = ByteWriter()
        encode(into: &writer)
        return CRC32C.checksum(of: writer.bytes.span)
    }

    func encode(into writer: inout ByteWriter) {
        switch objective {
        case .regression: writer.append(0)
        case .logistic: writer.append(1)
        case .softmax(let classes): writer.append([2, UInt64(classes)])
        }
        switch loss {
        case .squared: writer.append(0)
        case .logistic: writer.append(1)
        case .crossEntropy: writer.append(2)
        case .huber(let delta): writer.append([3, delta.bitPattern])
        }
        writer.append(UInt64(classWeights.count))
        writer.append(classWeights)
        writer.append([UInt64(hidden.count)] + hidden.map(UInt64.init))
        writer.append(UInt64(Activation.allCases.firstIndex(of: activation) ?? 0))
        encodeOptimizer(into: &writer)
        encodeSchedule(into: &writer)
        let penalties = regularization
        writer.append([penalties.l1, penalties.l2])
        writer.append([penalties.clipNorm ?? .infinity, penalties.clipValue ?? .infinity])
        writer.append(mode == .sequential ? 1 : 0)
        switch synchronization {
        case .reduce: writer.append(0)
        case .average(let rows): writer.append([1, UInt64(rows)])
        }
        writer.append([seed, UInt64(batchRows), UInt64(features)])
        writer.append([clip ?? .infinity])
        for (scaled, imputed) in zip(scaledFeatures, imputation) {
            switch imputed {
            case .mean: writer.append(scaled ? 1 : 0)
            case .constant(let value): writer.append([scaled ? 3 : 2, UInt64(value.bitPattern)])
            }
        }
    }

    private func encodeOptimizer(into writer: inout ByteWriter) {
        switch optimizer {
        case .sgd(let rate):
            writer.append(0)
            writer.append([rate])
        case .momentum(let rate, let momentum, let nesterov):
            writer.append(nesterov ? 2 : 1)
            writer.append([rate, momentum])
        case .adagrad(let rate, let epsilon):
            writer.append(3)
            writer.append([rate, epsilon])
        case .adam(let rate, let beta1, let beta2, let epsilon):
            writer.append(4)
            writer.append([rate, beta1, beta2, epsilon])
        case .adamW(let rate, let beta1, let beta2, let epsilon, let decay):
            writer.append(5)
            writer.append([rate, beta1, beta2, epsilon, decay])
        case .ftrl(let alpha, let beta):
            writer.append(6)
            writer.append([alpha, beta])
        }
    }

    private func encodeSchedule(into writer: inout ByteWriter) {
        switch schedule {
        case .constant: writer.append(0)
        case .cosine(let steps): writer.append([1, UInt64(steps)])
        case .inverseSquareRoot(let steps): writer.append([2, UInt64(steps)])
        case .step(let steps, let factor):
            writer.append([3, UInt64(steps), factor.bitPattern])
        case .inverseScaling(let power): writer.append([4, power.bitPattern])
        }
        writer.append(UInt64(warmUpSteps))
    }
}
