/// Every default of every attack, defense, recipe and section of settings, with where it comes from. `DefaultsTests`
/// compares it with the catalogue: a setting without a row fails, and so does a default that changed.
///
/// `key.* = @kind name` takes the rows of another section for a group, `@kind name group` those of a group in it; rows
/// below it differ. Sources: the papers' text, by section, as
/// P0 (Defending Backdoor Attacks via Robustness against Noisy Label), P1 (On the Effectiveness of Adversarial Training
/// against Backdoor Attacks), P2 (Shared Adversarial Unlearning), P3 (Self-Expansion and Compatibility), P4 (Backdoor
/// Defense via Decoupling the Training Process); C, what their authors' code does; B, the convention of the backdoor
/// benchmarks; R, another reference; D, decided here.
enum DefaultsTable {
  static let text = """
    [attacks badnets]
    rate = 0.1                         # B: 10%
    mapping = all-to-one               # B: all to one
    target = 0                         # B: class 0
    source = 1                         # D
    shift = 1                          # B: y + 1
    excludeTarget = false              # B: indices are drawn over all classes
    outline = square                   # B
    size = 3                           # B: 3x3
    pattern = white                    # B: white
    place = bottom-right               # B: lower right corner
    margin = 0                         # B: lower right corner
    image = null                       # D: none
    triggers = 1                       # B: one; P2 D: several

    [attacks blended]
    rate = 0.1                         # B: 10%
    mapping = all-to-one               # B: all to one
    target = 0                         # B: class 0
    source = 1                         # D
    shift = 1                          # B: y + 1
    excludeTarget = false              # B: indices are drawn over all classes
    alpha = 0.2                        # B: .2; P0 and P4: .1
    pattern = cells                    # D: drawn here, no artwork
    image = null                       # D: none

    [attacks label-flip]
    rate = 0.1                         # D: as the patch and blended attacks
    mapping = pair-flip                # P0 4: label i to i + 1, the control without a trigger
    target = 0                         # B: class 0
    source = 1                         # D
    shift = 1                          # B: y + 1
    excludeTarget = false              # B: indices are drawn over all classes

    [attacks sleeper-agent]
    rate = 0.01                        # P1 B: 1%; R Souri et al. 2022
    target = 0                         # B: class 0
    source = null                      # P1 B: all classes; R Souri et al.: one
    size = 8                           # R Souri et al. 2022: 8x8
    pattern = random                   # R Souri et al. 2022: random
    place = bottom-right               # B: lower right corner
    margin = 0                         # B: lower right corner
    image = null                       # D: none
    bound = 0.06274509803921569        # P1 B: 4, 8 and 16 of 255; R Souri et al. 2022: 16/255
    steps = 250                        # P1 B: R = 250
    learningRate = 0.025               # C: .1 on images of deviation about a quarter
    batch = 128                        # D
    sources = 1000                     # D
    retrain = 4                        # P1 B: T = 4
    choice = gradient-norm             # R Souri et al. 2022: largest gradients
    surrogate.* = @recipes fast        # D: any recipe
    adversarial = false                # P1 B: both; off is the attack of Souri et al. 2022
    linf.radius = 0.03137254901960784  # P1 3: 4/255 to 16/255; 2/255 in CAT (4)
    linf.steps = 10                    # D: 10
    linf.step = 0.25                   # C: advertorch, a quarter of the radius
    linf.start = random                # R Madry et al. 2018: random
    linf.loss = cross-entropy          # R Madry et al. 2018: cross entropy
    linf.share = 0.01                  # R Tramer and Boneh 2019

    [attacks clustered-trigger]
    rate = 0.05                        # D
    mapping = all-to-one               # B: all to one
    target = 0                         # B: class 0
    source = 1                         # D
    shift = 1                          # B: y + 1
    excludeTarget = true               # C: samples of other classes
    pretrain.method = simclr           # P4 B.3, P0 algorithm 2: SimCLR
    pretrain.epochs = 100              # P4 B.3: 100
    pretrain.batch = 512               # P4 A: 512
    pretrain.images = null             # P4 A: all
    pretrain.learningRate = null       # P4 A: .4 (SimCLR); R MoCo v2, BYOL
    pretrain.momentum = 0.9            # P4 A: .9, 5e-4
    pretrain.weightDecay = 0.0005      # P4 A: .9, 5e-4
    pretrain.period = 1000             # C: 1000
    pretrain.warmup = 0                # P4 A: none
    pretrain.temperature = null        # C: .5 (SimCLR); R MoCo v2
    pretrain.anchors = all             # R Chen et al. 2020: all; C: the first
    pretrain.queue = 4096              # R MoCo, BYOL at the scale of CIFAR-10
    pretrain.targetMomentum = 0.99     # R MoCo, BYOL at the scale of CIFAR-10
    pretrain.groups = 8                # R MoCo, BYOL at the scale of CIFAR-10
    pretrain.hidden = null             # C: 512-512-128; R BYOL
    pretrain.projection = null         # C: 512-512-128; R BYOL
    pretrain.viewSize = null           # D: the images
    pretrain.smallestCrop = 0.2        # P4 A after R Chen et al. 2020
    pretrain.flip = true               # P4 A after R Chen et al. 2020
    pretrain.jitter = 1.0              # P4 A after R Chen et al. 2020
    pretrain.grayscale = 0.2           # P4 A after R Chen et al. 2020
    pretrain.blur = 0.5                # P4 A after R Chen et al. 2020
    epochs = 100                       # P4 5.4: 100
    batch = 128                        # D
    learningRate = 0.1                 # P4 5.4: Adam .1
    bound = 1.0                        # P4 5.4: the whole image may change

    [defenses ft]
    epochs = 100                       # B: SGD .01, cosine, 100 epochs, batch 256
    batch = 256                        # B: SGD .01, cosine, 100 epochs, batch 256
    learningRate = 0.01                # B: SGD .01, cosine, 100 epochs, batch 256
    momentum = 0.9                     # B: SGD .01, cosine, 100 epochs, batch 256
    weightDecay = 0.0005               # B: SGD .01, cosine, 100 epochs, batch 256
    crop = 4                           # B: SGD .01, cosine, 100 epochs, batch 256
    flip = true                        # B: SGD .01, cosine, 100 epochs, batch 256

    [defenses sau]
    epochs = 100                       # P2 C.2: 100; Tiny ImageNet 20
    batch = 256                        # C
    learningRate = 0.0001              # P2 C.2: Adam 1e-4
    amsgrad = true                     # C
    weightDecay = 0.0                  # C
    norm = linf                        # P2 4.1: L_inf
    radius = 0.2                       # P2 4.1, C.2: 5 steps of .2 in a ball of .2
    steps = 5                          # P2 4.1, C.2: 5 steps of .2 in a ball of .2
    stepSize = 0.2                     # P2 4.1, C.2: 5 steps of .2 in a ball of .2
    stepRule = sign                    # P2 algorithm 1: sign
    start = max                        # C: +radius
    universal = false                  # P2 A.4: off
    target = null                      # P2 A.5: none
    clamp = false                      # C
    inner = shared                     # P2 4.3: A + B
    outer = shared                     # P2 4.3: A + B
    lambda1 = 1.0                      # P2 4.1: 1, 1, .01, 1
    lambda2 = 1.0                      # P2 4.1: 1, 1, .01, 1
    lambda3 = 0.01                     # P2 4.1: 1, 1, .01, 1
    lambda4 = 1.0                      # P2 4.1: 1, 1, .01, 1
    adversarialWeight = 0.0            # C

    [defenses vanilla-at]
    * = @defenses sau
    inner = vanilla                    # P2 4.3: C + D
    outer = vanilla                    # P2 4.3: C + D

    [defenses spl]
    rule.rate = 0.25                   # P0 5: the true share, .15 to .45; table 3: .5
    rule.ramp = 0                      # D: at once; C: 10 epochs
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses spl-at]
    rule.rate = 0.25                   # P0 5: the true share, .15 to .45; table 3: .5
    rule.ramp = 0                      # D: at once; C: 10 epochs
    variant = both                     # P0 algorithm 1: both
    adversary.tau = 0.05               # P0 A.9.1: .05
    adversary.form = per-sample        # D
    adversary.perturbAll = null        # D
    adversary.mode = train             # D
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses prl]
    rule.rate = 0.25                   # P0 5: the true share, .15 to .45; table 3: .5
    rule.ramp = 0                      # D: at once; C: 10 epochs
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses prl-at]
    rule.rate = 0.25                   # P0 5: the true share, .15 to .45; table 3: .5
    rule.ramp = 0                      # D: at once; C: 10 epochs
    variant = both                     # P0 algorithm 1: both
    adversary.* = @defenses spl-at adversary
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses bootstrap]
    rule.alpha = 0.8                   # R Reed et al. 2014: .8, hard
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses bootstrap-at]
    rule.alpha = 0.8                   # R Reed et al. 2014: .8, hard
    variant = both                     # P0 algorithm 1: both
    adversary.* = @defenses spl-at adversary
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses noisy-at]
    adversary.* = @defenses spl-at adversary
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses prl-simclr]
    pretraining.* = @attacks clustered-trigger pretrain
    pretraining.epochs = 500           # P0 A.9.1: 500
    pretraining.period = null          # D: falls to 0 within the epochs
    labeled = 1.0                      # P0 5: 20% of CIFAR-10; D: all of the data at hand
    rule.rate = 0.25                   # P0 5: the true share, .15 to .45; table 3: .5
    rule.ramp = 0                      # D: at once; C: 10 epochs
    limit.kind = truncate              # P0 algorithm 2: truncate
    limit.largest = 1.0                # D: 1
    recipe.* = @recipes noisy-label    # P0 5: AdamW 3e-4, batch 128, 100 epochs; the rest D

    [defenses at]
    threat = linf                      # P1 3: L_inf first
    linf.* = @attacks sleeper-agent linf
    l2.* = @attacks sleeper-agent linf
    l2.radius = 1.003921568627451      # P1 3: 64/255 to 512/255
    l1.* = @attacks sleeper-agent linf
    l1.radius = 12.0                   # D
    spatial.bound = 0.025              # P1 3: .025 to .1; .025 in CAT (4)
    spatial.steps = 20                 # C
    spatial.learningRate = 0.01        # C
    spatial.smoothness = 0.0025        # C
    spatial.start = zero               # C
    spatial.loss = margin              # C
    perceptual.bound = 0.5             # P1 3: .1 to .5
    perceptual.steps = 10              # R Laidlaw et al. 2021
    perceptual.startDeviation = 0.01   # R Laidlaw et al. 2021, their code
    perceptual.projections = 0         # R Laidlaw et al. 2021
    perceptual.loss = margin           # R Laidlaw et al. 2021
    gaussianNoise.sigma = 0.1          # P1 table 1: .05 to .2
    randomSpatial.sigma = 0.1          # P1 table 1: .05 to .2
    randomSpatial.kind = uniform       # D
    composite.first = spatial          # P1 4: spatial and L_inf
    composite.second = linf            # P1 4: spatial and L_inf
    composite.order = first-then-second # D
    composite.joint = false            # D
    composite.jointLoss = margin       # D
    recipe.* = @recipes adversarial    # P1 3: SGD .1, momentum .9, weight decay 5e-4, 100 epochs, /10 at 60 and 90

    [defenses cat]
    composite.* = @defenses at composite
    linf.* = @attacks sleeper-agent linf
    linf.radius = 0.00784313725490196  # P1 3: 4/255 to 16/255; 2/255 in CAT (4)
    l2.* = @attacks sleeper-agent linf
    l2.radius = 0.25098039215686274    # P1 3: 64/255 to 512/255
    l1.* = @attacks sleeper-agent linf
    l1.radius = 4.0                    # D
    spatial.* = @defenses at spatial
    perceptual.* = @defenses at perceptual
    gaussianNoise.sigma = 0.1          # P1 table 1: .05 to .2
    randomSpatial.sigma = 0.1          # P1 table 1: .05 to .2
    randomSpatial.kind = uniform       # D
    recipe.* = @recipes adversarial    # P1 3: SGD .1, momentum .9, weight decay 5e-4, 100 epochs, /10 at 60 and 90

    [defenses self-expansion]
    filter.rounds = 8                  # P3 B.1: 8 rounds, 3 times
    filter.bags = 3                    # P3 B.1: 8 rounds, 3 times
    filter.share = 0.12                # P3 B.1: 12%
    filter.classDivisor = 8.0          # P3 B.1: p/8 of each class
    filter.stopAt = 2000               # C
    filter.baseIterations = 2          # P3 B.1: 2 + min(3, 1/p)
    filter.extraIterations = 3         # P3 B.1: 2 + min(3, 1/p)
    filter.betaStart = 3.0             # P3 B.1: 3p at first, p after 2 more
    filter.betaIterations = 2          # P3 B.1: 3p at first, p after 2 more
    filter.alpha = 0.25                # P3 B.1: 1/4, .9
    filter.eta = 0.9                   # P3 B.1: 1/4, .9
    filter.pacing = paper              # P3 B.1; C: code
    filter.firstEpochs = null          # P3 B.1: 2 epochs
    filter.laterEpochs = null          # P3 B.1: 2 epochs
    filter.searchRate = 0.02           # P3 B.1: .02
    filter.ballot = sample             # P3 B.1: on each sample
    filter.selfTraining = 1            # P3 B.1: once
    filter.learner.* = @recipes self-expansion # P3 B.1: SGD .02, momentum .9, weight decay 5e-4
    filter.learner.epochs = 40         # P3 B.1: 40
    filter.learner.schedule = constant # C: constant
    filter.learner.milestones = []     # D
    filter.together = 4                # D: speed alone
    recipe.* = @recipes self-expansion # P3 B.1: 100 epochs, /10 at 75 and 90

    [defenses ispl]
    rounds = 8                         # P3 B.1: 8 rounds, 3 times
    bags = 3                           # P3 B.1: 8 rounds, 3 times
    share = 0.12                       # P3 B.1: 12%
    classDivisor = 8.0                 # P3 B.1: p/8 of each class
    stopAt = 2000                      # C
    baseIterations = 2                 # P3 B.1: 2 + min(3, 1/p)
    extraIterations = 3                # P3 B.1: 2 + min(3, 1/p)
    betaStart = 3.0                    # P3 B.1: 3p at first, p after 2 more
    betaIterations = 2                 # P3 B.1: 3p at first, p after 2 more
    alpha = 0.25                       # P3 B.1: 1/4, .9
    eta = 0.9                          # P3 B.1: 1/4, .9
    pacing = paper                     # P3 B.1; C: code
    firstEpochs = null                 # P3 B.1: 2 epochs
    laterEpochs = null                 # P3 B.1: 2 epochs
    searchRate = 0.02                  # P3 B.1: .02
    ballot = sample                    # P3 B.1: on each sample
    selfTraining = 1                   # P3 B.1: once
    learner.* = @recipes self-expansion # P3 B.1: SGD .02, momentum .9, weight decay 5e-4
    learner.epochs = 40                # P3 B.1: 40
    learner.schedule = constant        # C: constant
    learner.milestones = []            # D
    together = 4                       # D: speed alone

    [defenses dbd]
    variant = full                     # P4 table 3: the whole method
    finetune.epochs = 190              # P4 B.3: 190; ImageNet 80
    finetune.iterations = 1024         # R Berthelot et al. 2019 (MixMatch)
    finetune.batch = 64                # P4 B.3: Adam .002, batch 64
    finetune.learningRate = 0.002      # P4 B.3: Adam .002, batch 64
    finetune.schedule = constant       # P4 B.3: none
    finetune.views = 2                 # R Berthelot et al. 2019 (MixMatch)
    finetune.temperature = 0.5         # P4 B.3: T .5, lambda_u 15 (ImageNet 6)
    finetune.mixing = 0.75             # R Berthelot et al. 2019 (MixMatch)
    finetune.unlabeledWeight = 15.0    # P4 B.3: T .5, lambda_u 15 (ImageNet 6)
    finetune.ramp = null               # C
    finetune.guess = batch             # C
    finetune.crop = 4                  # C
    resplit = true                     # P4 B.3: before each epoch
    supervised.* = @recipes decoupled  # P4 A: SGD .1, momentum .9, weight decay 5e-4, batch 128, 200 epochs, /10 at 100 and 150
    pretrain.* = @attacks clustered-trigger pretrain
    tune.epochs = 10                   # P4 B.3: 10
    tune.warmup = 0                    # P4 B.3: none
    tune.batch = 128                   # P4 B.3: Adam .002, batch 128
    tune.learningRate = 0.002          # P4 B.3: Adam .002, batch 128
    tune.crop = 4                      # C
    tune.loss = sce                    # P4 B.3: SCE
    tune.sceAlpha = 0.1                # P4 B.3: .1 and 1
    tune.sceBeta = 1.0                 # P4 B.3: .1 and 1
    tune.gceQ = 0.7                    # R Zhang and Sabuncu 2018: .7
    tune.statistics = frozen           # D: frozen with the backbone; C: moving
    credible = 0.5                     # P4 B.3: 50%
    within = all                       # P4 4.3: over all
    flip = true                        # C
    embeddings = 1000                  # D

    [defenses dbd-filter]
    pretrain.* = @attacks clustered-trigger pretrain
    tune.* = @defenses dbd tune
    credible = 0.5                     # P4 B.3: 50%
    within = all                       # P4 4.3: over all
    flip = true                        # C
    embeddings = 1000                  # D

    [defenses spectral]
    rule = count                       # R Tran et al. 2018, algorithm 1; B: percentile
    eps = 0.01                         # R Tran et al. 2018: 500 of 50,000
    factor = 1.5                       # R Tran et al. 2018, algorithm 1
    percentile = 85.0                  # B: 85; R Tran et al., script
    classLimit = 0.5                   # D
    centred = true                     # R Tran et al. 2018, algorithm 1

    [defenses activation-clustering]
    reduction = ica                    # R Chen et al. 2018, 4.1; B: pca
    components = 10                    # R Chen et al. 2018, 4.1
    rule = relative-size               # R Chen et al. 2018, 4.2; B: smaller
    relativeSize = 0.35                # R Adversarial Robustness Toolbox
    silhouette = 0.1                   # R Chen et al. 2018: .10 to .15
    starts = 10                        # D
    least = 10                         # D

    [defenses random-filter]
    share = 0.15                       # D: as many as the 85th percentile

    [defenses oracle-filter]

    [defenses shrinkpad]
    share = 0.1                        # P1 5: 10%
    random = false                     # D; R Li et al. 2021: random

    [defenses shrinkpad-training]
    transform.* = @defenses shrinkpad
    recipe.* = @recipes adversarial    # P1 5

    [defenses dpsgd]
    clip = 1.0                         # R Abadi et al. 2016
    noise = 1.0                        # D
    delta = 1e-05                      # R Abadi et al. 2016
    groups = 16                        # D
    recipe.* = @recipes adversarial    # D

    [defenses abl]
    ascent = batch                     # C; R Li et al. 2021, equation 3: sample
    gamma = 0.5                        # R Li et al. 2021, 4
    isolated = 0.01                    # R Li et al. 2021, 4
    isolationEpochs = 20               # R Li et al. 2021, 4
    tuningEpochs = 60                  # R Li et al. 2021, 4
    unlearningEpochs = 20              # R Li et al. 2021, 4
    batch = 64                         # R Li et al. 2021; B: 256
    learningRate = 0.1                 # R Li et al. 2021, 4
    tuningRate = 0.1                   # C
    tuningMilestone = 40               # C
    unlearningRate = 0.0001            # B
    momentum = 0.9                     # R Li et al. 2021, 4
    nesterov = true                    # C; B
    weightDecay = 0.0001               # B
    crop = 4                           # R Li et al. 2021, 4
    flip = true                        # R Li et al. 2021, 4

    [recipes fast]
    epochs = 10                        # D
    batch = 128                        # D
    optimizer = sgd                    # D
    learningRate = 0.1                 # D
    momentum = 0.9                     # D
    nesterov = true                    # D
    weightDecay = 0.0005               # D
    schedule = one-cycle               # D
    milestones = []                    # D
    gamma = 0.1                        # D
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # D
    flip = true                        # D
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes benchmark]
    epochs = 100                       # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    batch = 128                        # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    optimizer = sgd                    # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    learningRate = 0.01                # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    momentum = 0.9                     # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    nesterov = false                   # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    weightDecay = 0.0005               # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    schedule = cosine                  # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    milestones = []                    # D
    gamma = 0.1                        # D
    period = null                      # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    warmup = 0.3                       # D
    crop = 4                           # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    flip = true                        # B: SGD .01, .9, 5e-4, cosine over 100 epochs, batch 128
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes adversarial]
    epochs = 100                       # P1 3
    batch = 128                        # C
    optimizer = sgd                    # P1 3
    learningRate = 0.1                 # P1 3
    momentum = 0.9                     # P1 3
    nesterov = false                   # C
    weightDecay = 0.0005               # P1 3
    schedule = multi-step              # P1 3
    milestones = [60, 90]              # P1 3
    gamma = 0.1                        # P1 3
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # P1 3: crop and flip
    flip = true                        # P1 3: crop and flip
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes decoupled]
    epochs = 200                       # P4 A
    batch = 128                        # P4 A
    optimizer = sgd                    # P4 A
    learningRate = 0.1                 # P4 A
    momentum = 0.9                     # P4 A
    nesterov = false                   # C
    weightDecay = 0.0005               # P4 A
    schedule = multi-step              # P4 A
    milestones = [100, 150]            # P4 A
    gamma = 0.1                        # P4 A
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # P4 A: crop and flip
    flip = true                        # P4 A: crop and flip
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes self-expansion]
    epochs = 100                       # P3 B.1
    batch = 128                        # C
    optimizer = sgd                    # P3 B.1
    learningRate = 0.02                # P3 B.1
    momentum = 0.9                     # P3 B.1
    nesterov = false                   # P3 B.1
    weightDecay = 0.0005               # P3 B.1
    schedule = multi-step              # P3 B.1
    milestones = [75, 90]              # P3 B.1
    gamma = 0.1                        # P3 B.1
    period = null                      # D
    warmup = 0.3                       # D
    crop = 4                           # C
    flip = true                        # C
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [recipes noisy-label]
    epochs = 100                       # P0 5
    batch = 128                        # P0 5
    optimizer = adamw                  # P0 5
    learningRate = 0.0003              # P0 5
    momentum = 0.9                     # D: PyTorch's defaults, no augmentation
    nesterov = true                    # D
    weightDecay = 0.01                 # D: PyTorch's defaults, no augmentation
    schedule = constant                # D: PyTorch's defaults, no augmentation
    milestones = []                    # D
    gamma = 0.1                        # D
    period = null                      # D
    warmup = 0.3                       # D
    crop = 0                           # D: PyTorch's defaults, no augmentation
    flip = false                       # D: PyTorch's defaults, no augmentation
    labelSmoothing = 0.0               # D
    dropLast = true                    # D
    clipNorm = null                    # D

    [settings general]
    seed = 0                           # D
    device = auto                      # D
    precision = auto                   # D
    threads = auto                     # D

    [settings dataset]
    name = generated                   # D
    path = null                        # D
    size = null                        # D
    train = null                       # D
    test = null                        # D
    seed = 0                           # D
    maximumPixels = null               # D

    [settings model]
    name = preactresnet18              # P2 4.1, P3 B.1: PreAct-ResNet18
    width = null                       # D

    [settings recipe]
    * = @recipes fast

    [settings clean]
    share = 0.05                       # B: 5%
    count = null                       # D
    balanced = false                   # B: drawn from the training set at random
    disjoint = false                   # B: drawn from the training set at random
    unlabeled = 0.0                    # D: none; P0 5: .8

    [settings evaluation]
    every = 1                          # D
    riskSamples = 256                  # D
    samples = 8                        # D
    """

  /// The published width of each architecture, in channels of its first stage.
  static let widths = [
    "preactresnet18": 64,  // He et al. 2016, as the benchmarks have it
    "resnet18": 64,  // He et al. 2016
    "resnet32": 16,  // He et al. 2016, CIFAR: 16, 32, 64
    "vgg19": 64,  // Simonyan and Zisserman 2015
    "vgg19_bn": 64,
    "densenet121": 64,  // Huang et al. 2017: twice the growth rate of 32
    "cnn": 32,  // ours
  ]
}
