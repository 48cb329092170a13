/**
 * Actions for which AWS knows no resource, so that least privilege is `Resource: "*"`: entries without a required
 * resource type in the Service Authorization Reference ("Actions, resources, and condition keys", read in September
 * 2026). A selection of the actions with which agents read, list, publish and detect; it leaves out actions that change
 * an account's settings or rights.
 */
export const UNSCOPED_ACTIONS: Readonly<Record<string, string>> = {
  'access-analyzer': 'CheckAccessNotGranted CheckNoNewAccess CheckNoPublicAccess ListAnalyzers ValidatePolicy',
  acm: 'ListCertificates',
  athena: 'ListDataCatalogs ListEngineVersions ListWorkGroups',
  autoscaling: 'GetPredictiveScalingForecast',
  bedrock: `GetFoundationModelAvailability ListAgents ListCustomModels ListEvaluationJobs ListFlows ListFoundationModels
    ListImportedModels ListInferenceProfiles ListKnowledgeBases ListModelCustomizationJobs ListPromptRouters
    ListProvisionedModelThroughputs`,
  ce: `GetReservationCoverage GetReservationPurchaseRecommendation GetReservationUtilization GetRightsizingRecommendation
    GetSavingsPlansCoverage GetSavingsPlansPurchaseRecommendation GetSavingsPlansUtilization
    GetSavingsPlansUtilizationDetails ListCostAllocationTags ListCostCategoryDefinitions`,
  cloudformation: `DescribeAccountLimits EstimateTemplateCost ListExports ListImports ListStacks ListStackSets ListTypes
    ValidateTemplate`,
  cloudfront: `ListCachePolicies ListDistributions ListFunctions ListKeyGroups ListOriginAccessControls
    ListOriginRequestPolicies ListPublicKeys ListResponseHeadersPolicies`,
  cloudtrail: 'DescribeTrails ListEventDataStores ListTrails LookupEvents',
  cloudwatch: `DescribeAlarmsForMetric DescribeAnomalyDetectors DescribeInsightRules GetMetricData GetMetricStatistics
    GetMetricWidgetImage ListDashboards ListMetrics ListMetricStreams PutMetricData`,
  codeartifact: 'ListDomains ListRepositories',
  codebuild: 'ListBuilds ListCuratedEnvironmentImages ListProjects ListReportGroups',
  codepipeline: 'ListActionTypes ListPipelines',
  'cognito-idp': 'ListUserPools',
  comprehend: `BatchDetectDominantLanguage BatchDetectEntities BatchDetectKeyPhrases BatchDetectSentiment BatchDetectSyntax
    BatchDetectTargetedSentiment ContainsPiiEntities DetectDominantLanguage DetectKeyPhrases DetectPiiEntities
    DetectSentiment DetectSyntax DetectTargetedSentiment DetectToxicContent`,
  config: `DescribeComplianceByConfigRule DescribeComplianceByResource DescribeConfigRules GetComplianceSummaryByConfigRule
    GetDiscoveredResourceCounts GetResourceConfigHistory ListDiscoveredResources SelectResourceConfig`,
  dynamodb: 'DescribeEndpoints DescribeLimits ListBackups ListGlobalTables ListStreams ListTables',
  ec2: `GetEbsDefaultKmsKeyId GetEbsEncryptionByDefault GetInstanceMetadataDefaults GetInstanceTypesFromInstanceRequirements
    GetSpotPlacementScores`,
  ecr: 'DescribePullThroughCacheRules DescribeRegistry GetAuthorizationToken GetRegistryScanningConfiguration',
  'ecr-public': 'GetAuthorizationToken',
  ecs: 'DescribeTaskDefinition ListClusters ListServices ListTaskDefinitionFamilies ListTaskDefinitions',
  eks: 'DescribeAddonVersions DescribeClusterVersions ListAccessPolicies ListClusters',
  elasticache: 'DescribeCacheEngineVersions DescribeEngineDefaultParameters DescribeEvents DescribeServiceUpdates',
  events:
    'ListApiDestinations ListArchives ListConnections ListEventBuses ListRules ListRuleNamesByTarget TestEventPattern',
  firehose: 'ListDeliveryStreams',
  glue: 'GetCrawlers GetJobs GetTriggers ListCrawlers ListJobs ListRegistries ListTriggers ListWorkflows',
  iam: `GenerateCredentialReport GetAccountPasswordPolicy GetAccountSummary GetContextKeysForCustomPolicy GetCredentialReport
    ListAccountAliases ListGroups ListInstanceProfiles ListOpenIDConnectProviders ListPolicies ListRoles ListSAMLProviders
    ListServerCertificates ListUsers ListVirtualMFADevices SimulateCustomPolicy`,
  inspector2: 'ListCoverage ListCoverageStatistics ListFindingAggregations ListFindings',
  kinesis: 'DescribeLimits ListStreams',
  kms: 'GenerateRandom ListAliases ListKeys',
  lambda: 'GetAccountSettings ListEventSourceMappings ListFunctions ListLayers ListLayerVersions',
  logs: `DescribeDestinations DescribeExportTasks DescribeLogGroups DescribeQueries DescribeQueryDefinitions GetLogFields
    ListLogGroups ListLogGroupsForQuery StopLiveTail StopQuery TestMetricFilter`,
  organizations: 'DescribeOrganization ListAccounts ListDelegatedAdministrators ListRoots',
  polly: 'DescribeVoices GetSpeechSynthesisTask ListLexicons ListSpeechSynthesisTasks',
  pricing: 'DescribeServices ListPriceLists',
  rds: `DescribeAccountAttributes DescribeCertificates DescribeDBEngineVersions DescribeEngineDefaultParameters DescribeEvents
    DescribeOrderableDBInstanceOptions DescribeSourceRegions`,
  redshift: 'DescribeAccountAttributes DescribeClusterVersions DescribeEvents DescribeOrderableClusterOptions',
  rekognition: `CompareFaces DetectFaces DetectLabels DetectProtectiveEquipment DetectText GetCelebrityInfo ListCollections
    RecognizeCelebrities`,
  'resource-explorer-2': 'ListIndexes ListSupportedResourceTypes ListViews',
  'resource-groups': 'ListGroups ListResourceTypes SearchResources',
  route53: `GetAccountLimit GetCheckerIpRanges GetGeoLocation GetHealthCheckCount GetHostedZoneCount ListGeoLocations
    ListHealthChecks ListHostedZones ListHostedZonesByName ListHostedZonesByVPC TestDNSAnswer`,
  s3: 'ListAccessPoints ListAllMyBuckets ListJobs',
  sagemaker: `ListAlgorithms ListDomains ListEndpointConfigs ListEndpoints ListExperiments ListModels ListNotebookInstances
    ListPipelines ListProcessingJobs ListTrainingJobs ListTransformJobs Search`,
  scheduler: 'ListScheduleGroups ListSchedules',
  secretsmanager: 'GetRandomPassword ListSecrets',
  servicequotas: 'GetAWSDefaultServiceQuota ListAWSDefaultServiceQuotas ListServiceQuotas ListServices',
  ses: 'GetAccount GetSendQuota GetSendStatistics ListConfigurationSets ListEmailIdentities ListIdentities ListTemplates',
  sns: 'CheckIfPhoneNumberIsOptedOut GetSMSAttributes ListPhoneNumbersOptedOut ListSubscriptions ListTopics',
  sqs: 'ListQueues',
  ssm: `DescribeAvailablePatches DescribeInstanceInformation DescribeMaintenanceWindows DescribeParameters
    DescribePatchBaselines DescribeSessions GetCommandInvocation GetInventory ListCommandInvocations ListCommands
    ListComplianceItems ListDocuments`,
  ssmmessages: 'CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel',
  states: 'ListActivities ListStateMachines ValidateStateMachineDefinition',
  sts: 'DecodeAuthorizationMessage GetAccessKeyInfo GetCallerIdentity',
  textract: `AnalyzeDocument AnalyzeExpense AnalyzeID DetectDocumentText GetDocumentAnalysis GetDocumentTextDetection
    GetExpenseAnalysis StartDocumentAnalysis StartDocumentTextDetection StartExpenseAnalysis`,
  transcribe: 'ListTranscriptionJobs ListVocabularies StartStreamTranscription StartTranscriptionJob',
  translate: 'DescribeTextTranslationJob ListLanguages ListTerminologies ListTextTranslationJobs',
  xray: `GetGroups GetSamplingRules GetSamplingStatisticSummaries GetSamplingTargets GetServiceGraph
    GetTimeSeriesServiceStatistics GetTraceGraph GetTraceSummaries PutTelemetryRecords PutTraceSegments`,
};

/** Families whose members all read or list, and all or nearly all have no resource: `ec2:Describe*` may be allowed. */
export const UNSCOPED_FAMILIES: Readonly<Record<string, string>> = {
  'application-autoscaling': 'Describe',
  autoscaling: 'Describe',
  'compute-optimizer': 'Get',
  ec2: 'Describe',
  elasticloadbalancing: 'Describe',
  freetier: 'Get',
  health: 'Describe',
  pricing: 'Get',
  tag: 'Get',
  trustedadvisor: 'List',
  xray: 'BatchGet',
};

/** Members of `UNSCOPED_FAMILIES` that have a resource: an Allow by their full name must state it. */
export const SCOPED_MEMBERS: Readonly<Record<string, string>> = {
  ec2: `DescribeCapacityBlockExtensionOfferings DescribeClientVpnAuthorizationRules DescribeClientVpnConnections
    DescribeClientVpnRoutes DescribeClientVpnTargetNetworks DescribeFleetHistory DescribeFleetInstances
    DescribeFpgaImageAttribute DescribeImageAttribute DescribeInstanceAttribute DescribeSecurityGroupReferences
    DescribeSnapshotAttribute DescribeSpotFleetInstances DescribeSpotFleetRequestHistory DescribeVolumeAttribute
    DescribeVpcAttribute DescribeVpcEndpointServicePermissions`,
  health: 'DescribeAffectedEntities DescribeEventDetails',
};
