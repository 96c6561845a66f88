import Foundation

extension ModelManifest {
  /// Hashes every file of the model beside the manifest and compares.
  ///
  /// A changed, missing or added file is an error; so is a manifest that lists no file.
  ///
  /// - Parameter directory: the folder that holds the manifest and the model.
  /// - Throws: ``EmotionKitError/modelFileChanged(path:expected:found:)`` for the first difference.
  /// - Complexity: O(*n*) in the bytes of the model; 8 MB took 0.2 s in a release build on a busy Linux server.
  package func verifyFiles(in directory: URL) throws(EmotionKitError) {
    let root = directory.appendingPathComponent(model.file)
    let listed = model.files.map(\.path)
    guard !listed.isEmpty else {
      throw .modelFileChanged(path: model.file, expected: "at least one file", found: "none listed")
    }
    guard let isFolder = root.isExistingDirectory else {
      throw .modelFileChanged(path: model.file, expected: model.sha256, found: "no such file")
    }
    let found = isFolder ? try Self.relativePaths(under: root) : listed
    for path in Set(listed).symmetricDifference(found).sorted() {
      let isListed = listed.contains(path)
      throw .modelFileChanged(
        path: path, expected: isListed ? "a file" : "no such file",
        found: isListed ? "no such file" : "a file")
    }
    for file in model.files {
      let hash = try Self.hash(isFolder ? root.appendingPathComponent(file.path) : root, file.path)
      guard hash == file.sha256 else {
        throw .modelFileChanged(path: file.path, expected: file.sha256, found: hash)
      }
    }
    let tree = isFolder ? Self.treeHash(model.files) : model.files[0].sha256
    guard tree == model.sha256 else {
      throw .modelFileChanged(path: model.file, expected: model.sha256, found: tree)
    }
  }

  /// The listed files with their paths beside the manifest, sorted by path.
  var listedPaths: [(path: String, file: File)] {
    let isFolder = LocatedModel.Kind(URL(fileURLWithPath: model.file)) != .mlmodel
    return model.files.sorted { $0.path < $1.path }
      .map { (isFolder ? "\(model.file)/\($0.path)" : model.file, $0) }
  }

  /// ``listedPaths``, then the canary.
  var fetchedPaths: [(path: String, file: File)] {
    listedPaths
      + (canary.map { [($0.file, File(path: $0.file, bytes: $0.bytes, sha256: $0.sha256))] } ?? [])
  }

  /// Checks a manifest that came from elsewhere, before a file is fetched or written by it.
  ///
  /// - Parameter sha256: what the model must be.
  /// - Returns: bytes of all files.
  /// - Throws: ``EmotionKitError/modelFileChanged(path:expected:found:)`` for other files than the
  ///   hash stands for, or ``EmotionKitError/contractMismatch(field:expected:found:)`` for a path
  ///   that leads out of the model or a size that makes no sense.
  func checkListing(sha256: String) throws(EmotionKitError) -> Int {
    let isFolder = LocatedModel.Kind(URL(fileURLWithPath: model.file)) != .mlmodel
    let tree = isFolder ? Self.treeHash(model.files) : model.files.first?.sha256 ?? "no file"
    guard tree == sha256, !model.files.isEmpty, isFolder || model.files.count == 1 else {
      throw .modelFileChanged(path: model.file, expected: sha256, found: tree)
    }
    guard Self.staysInside(model.file), !model.file.contains("/"),
      LocatedModel.Kind(URL(fileURLWithPath: model.file)) != nil
    else {
      throw .contractMismatch(
        field: "model.file", expected: "the name of a Core ML model", found: model.file)
    }
    for file in model.files where !Self.staysInside(file.path) {
      throw .contractMismatch(
        field: "model.files.path", expected: "a path inside the model", found: file.path)
    }
    // The hash does not cover the sizes; a terabyte is more than any model has.
    for file in model.files where !(0...1 << 40).contains(file.bytes) {
      throw .contractMismatch(
        field: "model.files.bytes", expected: "0 to 2^40", found: "\(file.bytes)")
    }
    return model.files.map(\.bytes).reduce(0, &+)
  }

  /// Checks the canary beside the manifest, if it names one.
  ///
  /// - Throws: ``EmotionKitError/modelFileChanged(path:expected:found:)`` or
  ///   ``EmotionKitError/contractMismatch(field:expected:found:)``.
  package func verifyCanary(in directory: URL) throws(EmotionKitError) {
    guard let canary else { return }
    guard try Canary.read(in: directory, manifest: self) != nil else {
      throw .modelFileChanged(
        path: Canary.fileName, expected: canary.sha256, found: "no such file")
    }
  }

  private static func staysInside(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return parts.allSatisfy { !["", ".", ".."].contains($0) } && !path.contains("\\")
  }

  /// The content hash of a model that may have no manifest.
  ///
  /// - Returns: the hash of the file, or of a folder's sorted `"<sha256>  <path>\n"` lines: what
  ///   ``Model/sha256`` holds.
  /// - Throws: ``EmotionKitError/modelFileChanged(path:expected:found:)`` when a file cannot be
  ///   read.
  /// - Complexity: O(*n*) in the bytes of the model.
  package static func contentHash(of url: URL) throws(EmotionKitError) -> String {
    guard url.isExistingDirectory == true else { return try hash(url, url.lastPathComponent) }
    var files: [File] = []
    for path in try relativePaths(under: url) {
      let sha256 = try hash(url.appendingPathComponent(path), path)
      files.append(File(path: path, bytes: 0, sha256: sha256))
    }
    return treeHash(files)
  }

  /// The hash of a folder: SHA-256 of its `"<sha256>  <path>\n"` lines, sorted by the bytes of the
  /// path.
  static func treeHash(_ files: [File]) -> String {
    let sorted = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    return SHA256.hex(sorted.map { "\($0.sha256)  \($0.path)\n" }.joined())
  }

  private static func hash(_ url: URL, _ path: String) throws(EmotionKitError) -> String {
    do {
      return try SHA256.hex(contentsOf: url)
    } catch {
      throw .modelFileChanged(
        path: path, expected: "a readable file", found: error.localizedDescription)
    }
  }

  private static func relativePaths(under root: URL) throws(EmotionKitError) -> [String] {
    // The path variant yields relative paths on every platform, whatever symbolic links lead here.
    guard let all = FileManager.default.enumerator(atPath: root.path) else {
      throw .modelFileChanged(
        path: root.lastPathComponent, expected: "a folder", found: "unreadable")
    }
    return all.compactMap { $0 as? String }.filter { path in
      root.appendingPathComponent(path).isExistingDirectory == false
    }
  }
}

extension ModelManifest.CanaryFile {
  /// Checks an entry that may come from elsewhere, before a file is read or written by it.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``.
  func check() throws(EmotionKitError) {
    guard file == Canary.fileName else {
      throw .contractMismatch(field: "canary.file", expected: Canary.fileName, found: file)
    }
    guard (1...Canary.mostBytes).contains(bytes) else {
      throw .contractMismatch(
        field: "canary.bytes", expected: "1 to \(Canary.mostBytes)", found: "\(bytes)")
    }
    guard sha256.count == 64, sha256.allSatisfy(\.isLowercaseHexDigit) else {
      throw .contractMismatch(
        field: "canary.sha256", expected: "64 hexadecimal digits", found: sha256)
    }
  }
}

extension URL {
  /// True for a folder, false for a file, nil when nothing is there.
  package var isExistingDirectory: Bool? {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      return nil
    }
    return isDirectory.boolValue
  }
}
