import Foundation

/// Verdicts of earlier launches: one small file for each model, system build, device and unit.
///
/// A file that cannot be read, or is about anything else, is no verdict, and the unit is checked again.
package struct CanaryMemory: Sendable {
  private let directory: URL
  private let storage: any ModelStorage
  /// The operating system's version and build.
  package let system: String
  /// The device's model.
  package let device: String

  /// Creates a memory in a folder of its own, which is made when needed.
  package init(
    directory: URL, system: String = SystemBuild.current, device: String = SystemBuild.device,
    storage: any ModelStorage = DiskStorage()
  ) {
    self.directory = directory
    self.system = system
    self.device = device
    self.storage = storage
  }

  private struct Entry: Codable, Hashable {
    var version = 1
    let model: String
    let canary: String
    let system: String
    let device: String
    let verdict: CanaryReport.Verdict
  }

  /// The verdict on a unit, if this device has reached one.
  ///
  /// - Parameters:
  ///   - model: the model's digest.
  ///   - canary: the digest of its `canary.json`.
  func verdict(
    on units: ComputeUnits, model: String, canary: String
  ) -> CanaryReport.Verdict? {
    guard let data = try? storage.read(file(model, units)),
      let entry = try? JSONDecoder().decode(Entry.self, from: data), entry.version == 1,
      entry.model == model, entry.canary == canary, entry.system == system,
      entry.device == device, entry.verdict.units == units,
      entry.verdict.passed == (entry.verdict.reason == nil)
    else { return nil }
    var verdict = entry.verdict
    verdict.isRemembered = true
    return verdict
  }

  /// Keeps a verdict. On a full disk it is forgotten, and the unit is checked at the next launch.
  func remember(_ verdict: CanaryReport.Verdict, model: String, canary: String) {
    let entry = Entry(
      model: model, canary: canary, system: system, device: device, verdict: verdict)
    guard let data = try? JSONEncoder().encode(entry) else { return }
    try? storage.createFolder(directory)
    for name in (try? storage.names(in: directory)) ?? [] where !name.contains(place) {
      try? storage.remove(directory.appendingPathComponent(name))
    }
    try? storage.write(data, to: file(model, verdict.units))
  }

  private var place: String {
    let plain = [system, device].map { $0.filter { $0.isASCII && ($0.isLetter || $0.isNumber) } }
    return "-\(plain.joined(separator: "-"))-"
  }

  private func file(_ model: String, _ units: ComputeUnits) -> URL {
    directory.appendingPathComponent("\(model.prefix(16))\(place)\(units.rawValue).json")
  }
}
